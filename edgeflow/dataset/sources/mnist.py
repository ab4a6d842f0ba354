"""MNIST: 28x28 grey digits, uint8 0..255, from IDX files or Keras' download."""

from pathlib import Path
from typing import TYPE_CHECKING

from edgeflow.config.dataset import MnistDataset
from edgeflow.dataset.base import RawDataset
from edgeflow.dataset.download import keras_download
from edgeflow.dataset.idx import idx_files, load_idx
from edgeflow.dataset.image import decode, image_suffixes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TOOLS = ()
suffixes = image_suffixes
_LABELS = tuple("0123456789")
_WAYS = (
    "fetch the four *-ubyte.gz files from https://storage.googleapis.com/cvdf-datasets/mnist/ "
    "and set `path:` of the dataset to their folder, or leave `path:` out and run with "
    "a network connection, and Keras downloads them"
)


def files(section: MnistDataset) -> dict[str, Path]:
    """Return the IDX files of `path` that exist."""
    return idx_files(Path(section.path).expanduser()) if section.path is not None else {}


def load(section: MnistDataset) -> RawDataset:
    """Return 60,000 train and 10,000 test samples, (n, 28, 28, 1)."""
    if section.path is not None:
        return load_idx(Path(section.path).expanduser(), _LABELS, _WAYS)
    return keras_download("mnist", _LABELS, _WAYS)


def read(path: Path, section: MnistDataset) -> "NDArray[np.uint8]":
    """Return one image, (28, 28, 1): bright on black, as those of the dataset."""
    return decode(path, (28, 28), 1)
