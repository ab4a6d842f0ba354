"""Arrays of the user in one .npz file; uint8 0..255, or float samples taken as they are."""

from pathlib import Path

from edgeflow.config.dataset import NpzDataset
from edgeflow.dataset.arrays import array_file, load_arrays
from edgeflow.dataset.axes import arranged_images
from edgeflow.dataset.base import RawDataset

TOOLS = ()


def files(section: NpzDataset) -> dict[str, Path]:
    """Return the file if it exists."""
    return array_file(section)


def load(section: NpzDataset, *, values: bool = True) -> RawDataset:
    """Return images, (n, height, width, channels), with a channel if they have none; or vectors."""
    axes = "(n, features) or (n, height, width[, channels])"
    return load_arrays(section, axes, arranged_images, values=values)
