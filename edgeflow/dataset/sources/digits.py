"""8x8 grey digits that ship with scikit-learn: always there, no download."""

from pathlib import Path

from edgeflow.config.dataset import DigitsDataset
from edgeflow.dataset.base import RawDataset, Samples

TOOLS = ("scikit-learn",)
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
