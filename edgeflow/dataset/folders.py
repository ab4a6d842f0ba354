"""Files of the user in one folder for each class."""

from pathlib import Path
from typing import TYPE_CHECKING

from edgeflow.dataset.base import Samples
from edgeflow.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray


def _visible(folder: Path) -> list[Path]:
    """Return a folder's entries by name, without those that file managers leave behind."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _classes(path: str) -> dict[str, list[Path]]:
    root = Path(path).expanduser()
    folders = [entry for entry in _visible(root) if entry.is_dir()] if root.is_dir() else []
    return {
        folder.name: [entry for entry in _visible(folder) if entry.is_file()] for folder in folders
    }


def class_names(path: str) -> list[str]:
    """Return the names of the class folders in `path`, sorted."""
    return list(_classes(path))


def class_files(path: str) -> dict[str, Path]:
    """Return all files of the class folders in `path`, named ``class/file``."""
    return {
        f"{label}/{file.name}": file for label, files in _classes(path).items() for file in files
    }


def read_classes(
    path: str,
    shape: tuple[int, ...],
    dtype: "type[np.generic]",
    read: "Callable[[Path], NDArray[np.generic]]",
    what: str,
) -> tuple[Samples, tuple[str, ...]]:
    """Return a sample for each file, (n, *shape), and the labels: the folder names, sorted.

    Args:
        path: folder that holds a folder for each class.
        shape: of a sample.
        dtype: of a sample.
        read: returns the sample of one file.
        what: the files hold, for messages.

    Raises:
        DataError: there are no such folders.
    """
    import numpy as np

    classes = _classes(path)
    if not classes:
        raise DataError(
            f"{path} is no folder with folders in it",
            hint=f"set `path:` to a folder that holds one folder of {what} per class",
        )
    files = [file for group in classes.values() for file in group]
    x = np.empty((len(files), *shape), dtype)
    for position, file in enumerate(files):
        x[position] = read(file)
    counts = [len(group) for group in classes.values()]
    y = np.repeat(np.arange(len(classes), dtype=np.int64), counts)
    return Samples(x=x, y=y), tuple(classes)
