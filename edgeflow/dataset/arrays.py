"""Arrays of the user in one .npz file; uint8 0..255, or float samples taken as they are."""

import re
import zipfile
import zlib
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from edgeflow.config.dataset import NpzDataset, SignalDataset
from edgeflow.dataset.axes import Arrange
from edgeflow.dataset.base import GivenPart, RawDataset, Samples, default_scale
from edgeflow.dataset.tensors import INPUT
from edgeflow.errors import DataError
from edgeflow.tasks.registry import task_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    import numpy as np
    from numpy.typing import NDArray

NAMES: dict[GivenPart, tuple[str, ...]] = {
    "train": ("x", "x_train"),
    "validation": ("x_val", "x_valid", "x_validation"),
    "test": ("x_test",),
}
"""Names of the arrays with a part's samples; those of their truth begin with y."""
INPUT_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,59}")


def array_file(section: NpzDataset | SignalDataset) -> dict[str, Path]:
    """Return the file if it exists."""
    path = Path(section.path).expanduser()
    return {"npz": path} if path.is_file() else {}


def load_arrays(
    section: NpzDataset | SignalDataset, axes: str, arrange: Arrange, *, values: bool = True
) -> RawDataset:
    """Return the samples of an .npz file with x and y, or with x_train, y_train and others.

    Args:
        section: give path, labels and the place of the channels.
        axes: those of samples, for messages.
        arrange: brings samples into the form that networks take.
        values: whether the samples are read; otherwise they are zeros of their shape and dtype,
            which take no memory.

    Raises:
        DataError: the file is missing, corrupt, or holds something else.
    """
    path = Path(section.path).expanduser()
    reader = _Reader(path, axes, arrange, section)
    if not path.is_file():
        what = "is no file" if path.exists() else "does not exist"
        raise DataError(f"{path} {what}", hint=f"set `path:` to an .npz file; {reader.hint}")
    if not zipfile.is_zipfile(path):
        raise DataError(f"{path} is no .npz file, or is cut off", hint=reader.hint)
    parts, unread = reader.parts(values=values)
    return RawDataset(
        train=parts["train"],
        validation=parts.get("validation"),
        test=parts.get("test"),
        labels=tuple(section.labels or reader.task.default_labels([s.y for s in parts.values()])),
        scale=default_scale(parts["train"].x.dtype),
        notes=(f"arrays not read: {', '.join(unread)}",) if unread else (),
    )


def part_arrays(found: "Collection[str]") -> dict[GivenPart, dict[str, str]]:
    """Return the arrays of each part's samples among the names of arrays, by input.

    One input is ``x``; several are ``x.image`` and ``x.state``, in the order of their names.
    """
    return {
        part: arrays
        for part, names in NAMES.items()
        for name in names
        if (arrays := _inputs(name, found))
    }


def _inputs(name: str, found: "Collection[str]") -> dict[str, str]:
    named = {one.partition(".")[2]: one for one in sorted(found) if one.startswith(f"{name}.")}
    return ({INPUT: name} if name in found else {}) | named


class _Reader:
    """Reads one .npz file."""

    def __init__(
        self, path: Path, axes: str, arrange: Arrange, section: NpzDataset | SignalDataset
    ) -> None:
        self.path, self.arrange, self.section = path, arrange, section
        self.task = task_of(section)
        self.hint = (
            "write the file with np.savez(path, x=x, y=y), or x_train, y_train and x_test, y_test, "
            f"x_val, y_val: samples uint8 or float {axes}, y {self.task.truth_form}"
        )

    def parts(self, *, values: bool) -> tuple[dict[GivenPart, Samples], list[str]]:
        """Return the parts that the file has, and the names of arrays that are none."""
        import numpy as np

        try:
            with self.path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
                names = self._names(archive.files)
                read = archive.__getitem__ if values else partial(_zeros, archive)
                parts = {
                    part: self._samples(arrays, read, archive) for part, arrays in names.items()
                }
                used = {one for x in names.values() for one in (*x.values(), truth_of(x))}
                return parts, sorted(set(archive.files) - used)
        except (
            AttributeError,  # a member that is no array comes as bytes
            EOFError,
            MemoryError,  # a header may say any shape
            OSError,
            RuntimeError,  # members under a password, or compressed in a way of their own
            TypeError,
            ValueError,
            zipfile.BadZipFile,
            zlib.error,
        ) as error:
            pickled = "allow_pickle" in str(error)  # numpy advises it for files that one trusts
            why = "it holds pickled objects, which can run code" if pickled else error
            message = f"{self.path} cannot be read as .npz: {why}"
            raise DataError(message, hint=self.hint) from error

    def _names(self, found: list[str]) -> dict[GivenPart, dict[str, str]]:
        """Return the arrays of the samples of each part that the file has, by input."""
        names = part_arrays(found)
        listed = ", ".join(sorted(found)) or "nothing"
        twice = [[name for name in group if _inputs(name, found)] for group in NAMES.values()]
        alone = [x for x in names.values() if truth_of(x) not in found]
        if "train" not in names or alone == [names["train"]]:
            message = f"{self.path} holds {listed}, and no x, y or x_train, y_train"
            raise DataError(message, hint=self.hint)
        for group in twice:
            if len(group) > 1:
                message = f"{self.path} holds {' and '.join(group)}, which mean the same part"
                raise DataError(message, hint=self.hint)
        if alone:
            held = " and ".join(alone[0].values())
            message = f"{self.path} holds {held} and no {truth_of(alone[0])}"
            raise DataError(message, hint=self.hint)
        self._require_same_inputs(names)
        return names

    def _require_same_inputs(self, names: dict[GivenPart, dict[str, str]]) -> None:
        """Refuse parts with other inputs than train has, and names that files cannot have."""
        wanted = list(names["train"])
        for part, arrays in names.items():
            if list(arrays) != wanted:
                message = (
                    f"{self.path}: the {part} part has the inputs {', '.join(arrays)}, train has "
                    f"{', '.join(wanted)}"
                )
                raise DataError(message, hint="give all parts the same inputs, as in x_test.image")
        bad = [name for name in wanted if not INPUT_NAME.fullmatch(name)]
        if bad or (INPUT in wanted and len(wanted) > 1):
            message = f"{self.path} holds inputs named {', '.join(map(repr, bad or wanted))}"
            raise DataError(
                message,
                hint="name all of several inputs, as x.image and x.state: "
                "letters, digits and _, a letter first",
            )

    def _samples(
        self, arrays: dict[str, str], read: "Callable[[str], NDArray[np.generic]]", archive: Any
    ) -> Samples:
        y_name = truth_of(arrays)
        y: NDArray[np.generic] = archive[y_name]
        truth = self.task.truth(y)
        if truth is None:
            raise self._unusable(y_name, y)
        made = {field: self._array(name, read(name)) for field, name in arrays.items()}
        counts = {len(array) for array in made.values()}
        if len(counts) > 1:
            listed = ", ".join(f"{arrays[field]} {len(array)}" for field, array in made.items())
            message = f"{self.path}: inputs have other numbers of samples: {listed}"
            raise DataError(message, hint="give each sample all of its inputs")
        x = made[INPUT] if list(made) == [INPUT] else records(made)
        return Samples(x=x, y=truth)

    def _array(self, x_name: str, x: "NDArray[np.generic]") -> "NDArray[np.generic]":
        """Return the samples of one input as they are stored."""
        import numpy as np

        if x.dtype != "uint8" and x.dtype.kind != "f":
            raise self._unusable(x_name, x)
        samples = self.arrange(x, self.section.data_format)
        if samples is None:
            raise self._unusable(x_name, x)
        if x.dtype != "uint8":
            with np.errstate(over="ignore"):  # what float32 cannot hold is inf: the check says so
                samples = samples.astype(np.float32, copy=False)
        return samples

    def _unusable(self, name: str, array: "NDArray[np.generic]") -> DataError:
        return DataError(f"{self.path}: {name} is {array.dtype} {array.shape}", hint=self.hint)


def _zeros(archive: "np.lib.npyio.NpzFile", name: str) -> "NDArray[np.generic]":
    """Return zeros of the shape of an array, which is not read; floats as float32."""
    import numpy as np

    if archive.zip is None:
        raise OSError("closed")
    member = name if name in archive.zip.namelist() else f"{name}.npy"  # as numpy looks it up
    with archive.zip.open(member) as file:
        shape, _, dtype = npy_header(file)
    if dtype.hasobject:
        raise ValueError("allow_pickle")
    return np.broadcast_to(np.zeros((), "float32" if dtype.kind == "f" else dtype), shape)


def npy_header(file: IO[bytes]) -> "tuple[tuple[int, ...], bool, np.dtype[Any]]":
    """Read the header of an .npy file: shape, whether in Fortran order, dtype."""
    from numpy.lib import format as npy

    version = npy.read_magic(file)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    header: tuple[tuple[int, ...], bool, np.dtype[Any]] = read(file)
    return header


def records(arrays: "dict[str, NDArray[np.generic]]") -> "NDArray[np.generic]":
    """Return the samples of several inputs as records, (n,); of zeros that take no memory, such."""
    import numpy as np

    dtype = np.dtype([(name, array.dtype, array.shape[1:]) for name, array in arrays.items()])
    count = len(next(iter(arrays.values())))
    if all(not any(array.strides) for array in arrays.values()):
        return np.broadcast_to(np.zeros((), dtype), (count,))
    records = np.empty(count, dtype)
    for name, array in arrays.items():
        records[name] = array
    return records


def no_arrays(path: Path) -> DataError:
    """Return the failure for a file in the place of arrays."""
    return DataError(
        f"{path} holds no arrays, and the samples of this dataset are arrays",
        hint="bring it into the form of the dataset's samples, and save it: np.savez(path, x=x)",
    )


def truth_of(x: "Mapping[str, str]") -> str:
    """Return the name of the array with the truth of a part's samples."""
    return "y" + next(iter(x.values())).partition(".")[0].removeprefix("x")
