"""Reads the files of class folders into arrays."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgeflow.console import say
from edgeflow.dataset.base import RawDataset, Samples
from edgeflow.dataset.folders import LAYOUTS, Layout, layout
from edgeflow.dataset.tree import Tree, folders_and_files, listed, named
from edgeflow.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LISTED = 20
"""Files that a message names; the others are counted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reader:
    """How a source reads one file.

    Attributes:
        shape: of a sample.
        dtype: of a sample.
        read: returns the sample of one file, or raises DataError.
        what: the files hold, for messages.
        suffixes: of such files, in small letters.
    """

    shape: tuple[int, ...]
    dtype: "type[np.generic]"
    read: "Callable[[Path], NDArray[np.generic]]"
    what: str
    suffixes: frozenset[str]


def read_classes(path: str, reader: Reader, scale: float, *, values: bool = True) -> RawDataset:
    """Return a sample for each file, (n, *shape); the labels are the folder names, sorted.

    Args:
        path: folder that holds a folder for each class, or such folders for each part.
        reader: of one file.
        scale: of the dataset.
        values: whether the files are read; otherwise the samples are zeros that take no memory.

    Raises:
        DataError: there are no such folders, or files in them cannot be read: all are named.
    """
    found = layout(path)
    _require_classes(path, found, reader)
    errors = list(_unusable(found))
    parts = {
        part: _samples(
            Path(path).expanduser(), found.labels(), classes, _read(reader, errors, values=values)
        )
        for part, classes in found.parts.items()
    }
    if errors:
        raise all_of(errors)
    if (
        found.beside and values
    ):  # no part of the source, so no note: the card is made of the source alone
        say(f"note: not read, as no class holds them: {listed([f.name for f in found.beside])}")
    return RawDataset(
        train=parts["train"],
        validation=parts.get("validation"),
        test=parts.get("test"),
        labels=found.labels(),
        scale=scale,
    )


def _require_classes(path: str, found: Layout, reader: Reader) -> None:
    if found.problems:
        raise DataError(f"{path}: {'; '.join(found.problems)}", hint=LAYOUTS)
    if not found.labels():
        raise DataError(
            f"{path} is no folder with folders in it",
            hint=f"set `path:` to a folder that holds one folder of {reader.what} per class",
        )
    if len(found.labels()) == 1:
        _say_deeper(path, found)
    lost = [file for file in found.beside if file.suffix.lower() in reader.suffixes]
    if lost:
        raise DataError(
            f"{len(lost)} of the {reader.what} in {path} lie beside the class folders, so they "
            f"have no class: {listed([file.name for file in lost])}",
            hint="move each into the folder of its class, or out of the dataset",
        )


def _say_deeper(path: str, found: Layout) -> None:
    """Refuse a folder around the folder that is meant, as unpacking an archive leaves it."""
    root = Path(path).expanduser() / found.labels()[0]
    inner, _ = folders_and_files(root)
    if not found.given and inner:
        classes = listed([folder.name for folder in inner])
        raise DataError(
            f"{path} holds one class, {root.name!r}; a classifier needs two or more",
            hint=f"if the classes are {classes}, set `path: {root}`",
        )


def _unusable(found: Layout) -> Iterator[DataError]:
    for one in found.trees():
        for file, why in one.unusable.items():
            yield DataError(f"{file} {why}", hint="replace it or move it out of the class folder")


Read = Callable[[list[Path]], "NDArray[np.generic]"]


def _read(reader: Reader, errors: list[DataError], *, values: bool) -> Read:
    """Return what reads files, (n, *shape); what cannot be read is added to `errors`."""
    import numpy as np

    def read(files: list[Path]) -> "NDArray[np.generic]":
        x = np.empty((len(files), *reader.shape), reader.dtype)
        for position, file in enumerate(files):
            try:
                x[position] = reader.read(file)
            except DataError as error:
                errors.append(error)
        return x

    def zeros(files: list[Path]) -> "NDArray[np.generic]":
        return np.broadcast_to(np.zeros((), reader.dtype), (len(files), *reader.shape))

    return read if values else zeros


def _samples(root: Path, labels: tuple[str, ...], classes: dict[str, Tree], read: Read) -> Samples:
    """Return the samples of one part."""
    import numpy as np

    files = [file for tree in classes.values() for file in tree.files]
    numbers = [labels.index(label) for label in classes]
    y = np.repeat(np.asarray(numbers, np.int64), [len(tree.files) for tree in classes.values()])
    return Samples(x=read(files), y=y, names=tuple(named(root, files)))


def all_of(errors: Iterable[DataError]) -> DataError:
    """Return one error that tells all, the first in full."""
    told = list(errors)
    if len(told) == 1:
        return told[0]
    lines = [error.message for error in told[:LISTED]]
    if len(told) > LISTED:
        lines.append(f"and {len(told) - LISTED} more")
    hints = dict.fromkeys(error.hint for error in told)
    text = "".join(f"\n  - {line}" for line in lines)
    return DataError(f"{len(told)} files cannot be used:{text}", hint="; ".join(list(hints)[:3]))
