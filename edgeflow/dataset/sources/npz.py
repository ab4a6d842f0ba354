"""Arrays of the user in one .npz file; uint8 0..255, or float samples taken as they are."""

from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from edgeflow.config.dataset import NpzDataset
from edgeflow.dataset.arrays import array_file, load_arrays, no_arrays
from edgeflow.dataset.axes import arranged_images
from edgeflow.dataset.base import RawDataset

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TOOLS = ()


def files(section: NpzDataset) -> dict[str, Path]:
    """Return the file if it exists."""
    return array_file(section)


def load(section: NpzDataset, *, values: bool = True) -> RawDataset:
    """Return images, (n, height, width, channels), with a channel if they have none; or vectors."""
    axes = "(n, features) or (n, height, width[, channels])"
    return load_arrays(section, axes, arranged_images, values=values)


def suffixes() -> frozenset[str]:
    """Return none: samples are arrays, many to a file."""
    return frozenset()


def read(path: Path, section: NpzDataset) -> NoReturn:
    """Refuse all files but those of arrays."""
    raise no_arrays(path)


def arranged(x: "NDArray[np.generic]", section: NpzDataset) -> "NDArray[np.generic] | None":
    """Return arrays as `load` does; None where their axes do not fit."""
    return arranged_images(x, section.data_format)
