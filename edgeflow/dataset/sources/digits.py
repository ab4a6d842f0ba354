"""8x8 grey digits that ship with scikit-learn: always there, no download."""

from pathlib import Path
from typing import TYPE_CHECKING

from edgeflow.config.dataset import DigitsDataset
from edgeflow.dataset.base import RawDataset, Samples
from edgeflow.dataset.image import decode, image_suffixes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TOOLS = ("scikit-learn",)
suffixes = image_suffixes
_GREY_LEVELS = 16


def files(section: DigitsDataset) -> dict[str, Path]:
    """Return nothing: the version of scikit-learn stands for the bytes."""
    return {}


def load(section: DigitsDataset) -> RawDataset:
    """Return 1,797 samples, uint8 0..16, (n, 8, 8, 1)."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return RawDataset(
        train=Samples(
            x=bunch.images.astype("uint8")[..., None],
            y=bunch.target.astype("int64"),
        ),
        labels=tuple(str(name) for name in bunch.target_names),
        scale=1 / _GREY_LEVELS,
    )


def read(path: Path, section: DigitsDataset) -> "NDArray[np.uint8]":
    """Return one image, uint8 0..16, (8, 8, 1): bright on black, as those of the dataset."""
    import numpy as np

    pixels = decode(path, (8, 8), 1)
    levels: NDArray[np.uint8] = np.rint(pixels * (_GREY_LEVELS / 255)).astype(np.uint8)
    return levels
