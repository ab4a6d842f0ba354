"""Arrays of the user in one .npz file; uint8 0..255, or float samples taken as they are."""

import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from edgeflow.config.dataset import NpzDataset, SignalDataset
from edgeflow.dataset.base import UINT8_SCALE, RawDataset, Samples
from edgeflow.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.generic]
    Arrays = Mapping[str, Array]
    Shaped = Callable[[Array], "Array | None"]

_SPLIT = ("x_train", "y_train", "x_test", "y_test")


def array_file(options: NpzDataset | SignalDataset) -> dict[str, Path]:
    """Return the file if it exists."""
    path = Path(options.path).expanduser()
    return {"npz": path} if path.is_file() else {}


def load_arrays(options: NpzDataset | SignalDataset, axes: str, shaped: "Shaped") -> RawDataset:
    """Return the samples of an .npz file with x and y, or x_train, y_train, x_test and y_test.

    Args:
        options: give path and labels.
        axes: those of samples, for messages.
        shaped: returns an array as (n, height, width, channels), or None if it has other axes.

    Raises:
        DataError: the file is missing, corrupt, or holds something else.
    """
    path = Path(options.path).expanduser()
    reader = _Reader(path, axes, shaped)
    if not path.is_file():
        raise DataError(
            f"{path} does not exist", hint=f"set `path:` to an .npz file; {reader.hint}"
        )
    train, test = reader.parts()
    return RawDataset(
        train=train,
        test=test,
        labels=tuple(options.labels) if options.labels else _numbers(train, test),
        scale=UINT8_SCALE if train.x.dtype == "uint8" else 1.0,
    )


class _Reader:
    """Reads one .npz file."""

    def __init__(self, path: Path, axes: str, shaped: "Shaped") -> None:
        self.path, self.shaped = path, shaped
        self.hint = (
            "write the file with np.savez(path, x=x, y=y), or x_train, y_train, x_test, y_test: "
            f"samples uint8 or float {axes}, class numbers integer (n,)"
        )

    def parts(self) -> tuple[Samples, Samples | None]:
        """Return the train and, if the file has one, the test set."""
        arrays = self._read()
        if {"x", "y"} <= arrays.keys():
            return self._samples(arrays, "x", "y"), None
        if arrays.keys() >= set(_SPLIT):
            train = self._samples(arrays, "x_train", "y_train")
            return train, self._samples(arrays, "x_test", "y_test")
        found = ", ".join(sorted(arrays)) or "nothing"
        message = f"{self.path} holds {found}, and no x, y or {', '.join(_SPLIT)}"
        raise DataError(message, hint=self.hint)

    def _read(self) -> "Arrays":
        import numpy as np

        try:
            with self.path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
                return {name: archive[name] for name in archive.files}
        except (
            AttributeError,  # a single .npy array has no members
            EOFError,
            OSError,
            TypeError,
            ValueError,
            zipfile.BadZipFile,
            zlib.error,
        ) as error:
            message = f"{self.path} cannot be read as .npz: {error}"
            raise DataError(message, hint=self.hint) from error

    def _samples(self, arrays: "Arrays", x_name: str, y_name: str) -> Samples:
        import numpy as np

        x, y = arrays[x_name], arrays[y_name]
        samples = self.shaped(x)
        if samples is None or (x.dtype != "uint8" and x.dtype.kind != "f"):
            raise DataError(f"{self.path}: {x_name} is {x.dtype} {x.shape}", hint=self.hint)
        if y.ndim != 1 or y.dtype.kind not in "iu":
            raise DataError(f"{self.path}: {y_name} is {y.dtype} {y.shape}", hint=self.hint)
        if x.dtype != "uint8":
            with np.errstate(over="ignore"):  # what float32 cannot hold is inf: the check says so
                samples = samples.astype(np.float32)
        return Samples(x=samples, y=y.astype("int64"))


def _numbers(train: Samples, test: Samples | None) -> tuple[str, ...]:
    """Return as many labels as there are classes; the check finds numbers with a gap."""
    import numpy as np

    classes = np.unique(train.y if test is None else np.concatenate([train.y, test.y]))
    return tuple(str(number) for number in range(len(classes)))
