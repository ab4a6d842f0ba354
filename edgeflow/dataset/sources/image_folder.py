"""Images of the user: a folder per class, decoded and resized to uint8 0..255."""

from pathlib import Path
from typing import TYPE_CHECKING

from edgeflow.config.dataset import ImageFolderDataset
from edgeflow.dataset.base import UINT8_SCALE, RawDataset
from edgeflow.dataset.classes import Reader, read_classes
from edgeflow.dataset.folders import class_files
from edgeflow.dataset.image import decode, image_suffixes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TOOLS = ("pillow",)
suffixes = image_suffixes


def files(section: ImageFolderDataset) -> dict[str, Path]:
    """Return all images, named ``class/file``, or ``train/class/file``."""
    return class_files(section.path)


def load(section: ImageFolderDataset, *, values: bool = True) -> RawDataset:
    """Return all images, (n, *size, channels); the class folders, sorted, give the numbers."""
    return read_classes(section.path, reader(section), UINT8_SCALE, values=values)


def reader(section: ImageFolderDataset) -> Reader:
    """Return what reads each image."""
    import numpy as np

    return Reader(
        shape=(*section.size, section.channels),
        dtype=np.uint8,
        read=lambda path: read(path, section),
        what="images",
        suffixes=suffixes(),
    )


def read(path: Path, section: ImageFolderDataset) -> "NDArray[np.uint8]":
    """Return one image, (*size, channels)."""
    return decode(path, section.size, section.channels, section.background)
