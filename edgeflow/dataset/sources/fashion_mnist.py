"""Fashion-MNIST: 28x28 grey clothing, uint8 0..255, from IDX files or Keras' download."""

from pathlib import Path
from typing import TYPE_CHECKING

from edgeflow.config.dataset import FashionMnistDataset
from edgeflow.dataset.base import RawDataset
from edgeflow.dataset.download import keras_download
from edgeflow.dataset.idx import idx_files, load_idx
from edgeflow.dataset.image import decode, image_suffixes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TOOLS = ()
suffixes = image_suffixes
DEBIAN = Path("/usr/share/datasets/fashion-mnist")
_LABELS = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
_WAYS = (
    "run `sudo apt-get install dataset-fashion-mnist` (Debian, Ubuntu), or fetch the four "
    "*-ubyte.gz files that https://github.com/zalandoresearch/fashion-mnist lists and set "
    "`path:` of the dataset to their folder, or leave `path:` out and run with a network "
    "connection, and Keras downloads them"
)


def _folder(section: FashionMnistDataset) -> Path | None:
    if section.path is not None:
        return Path(section.path).expanduser()
    return DEBIAN if DEBIAN.is_dir() else None


def files(section: FashionMnistDataset) -> dict[str, Path]:
    """Return the IDX files of `path`, or of Debian's package, that exist."""
    folder = _folder(section)
    return idx_files(folder) if folder else {}


def load(section: FashionMnistDataset) -> RawDataset:
    """Return 60,000 train and 10,000 test samples, (n, 28, 28, 1)."""
    folder = _folder(section)
    if folder:
        return load_idx(folder, _LABELS, _WAYS)
    return keras_download("fashion_mnist", _LABELS, _WAYS)


def read(path: Path, section: FashionMnistDataset) -> "NDArray[np.uint8]":
    """Return one image, (28, 28, 1): bright on black, as those of the dataset."""
    return decode(path, (28, 28), 1)
