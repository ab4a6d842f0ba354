"""Arrays of the user in one .npz file; uint8 0..255, or float samples taken as they are."""

import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from edgeflow.config.dataset import NpzDataset
from edgeflow.dataset.base import UINT8_SCALE, RawDataset, Samples
from edgeflow.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    Arrays = Mapping[str, NDArray[np.generic]]

TOOLS = ()
_SPLIT = ("x_train", "y_train", "x_test", "y_test")
_HINT = (
    "write the file with np.savez(path, x=x, y=y), or x_train, y_train, x_test, y_test: "
    "samples uint8 or float (n, height, width[, channels]), class numbers integer (n,)"
)


def files(options: NpzDataset) -> dict[str, Path]:
    """Return the file if it exists."""
    path = Path(options.path).expanduser()
    return {"npz": path} if path.is_file() else {}


def load(options: NpzDataset) -> RawDataset:
    """Return the samples; those with no channel axis get one."""
    path = Path(options.path).expanduser()
    if not path.is_file():
        raise DataError(f"{path} does not exist", hint=f"set `path:` to an .npz file; {_HINT}")
    arrays = _read(path)
    if {"x", "y"} <= arrays.keys():
        train, test = _samples(arrays, "x", "y", path), None
    elif arrays.keys() >= set(_SPLIT):
        train = _samples(arrays, "x_train", "y_train", path)
        test = _samples(arrays, "x_test", "y_test", path)
    else:
        found = ", ".join(sorted(arrays)) or "nothing"
        raise DataError(f"{path} holds {found}, and no x, y or {', '.join(_SPLIT)}", hint=_HINT)
    return RawDataset(
        train=train,
        test=test,
        labels=tuple(options.labels) if options.labels else _numbers(train, test),
        scale=UINT8_SCALE if train.x.dtype == "uint8" else 1.0,
    )


def _read(path: Path) -> "Arrays":
    import numpy as np

    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
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
        raise DataError(f"{path} cannot be read as .npz: {error}", hint=_HINT) from error


def _samples(arrays: "Arrays", x_name: str, y_name: str, path: Path) -> Samples:
    import numpy as np

    x, y = arrays[x_name], arrays[y_name]
    if x.ndim not in (3, 4) or (x.dtype != "uint8" and x.dtype.kind != "f"):
        raise DataError(f"{path}: {x_name} is {x.dtype} {x.shape}", hint=_HINT)
    if y.ndim != 1 or y.dtype.kind not in "iu":
        raise DataError(f"{path}: {y_name} is {y.dtype} {y.shape}", hint=_HINT)
    if x.dtype != "uint8":
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes inf: the check says so
            x = x.astype(np.float32)
    return Samples(x=x if x.ndim == 4 else x[..., None], y=y.astype("int64"))


def _numbers(train: Samples, test: Samples | None) -> tuple[str, ...]:
    """Return as many labels as there are classes; the check finds numbers with a gap."""
    import numpy as np

    classes = np.unique(train.y if test is None else np.concatenate([train.y, test.y]))
    return tuple(str(number) for number in range(len(classes)))
