"""Signals of the user in one .npz file: one-dimensional, of one channel or more."""

from pathlib import Path
from typing import TYPE_CHECKING

from edgeflow.config.dataset import SignalDataset
from edgeflow.dataset.arrays import array_file, load_arrays
from edgeflow.dataset.base import RawDataset

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TOOLS = ()


def files(options: SignalDataset) -> dict[str, Path]:
    """Return the file if it exists."""
    return array_file(options)


def load(options: SignalDataset) -> RawDataset:
    """Return the samples, (n, length, 1, channels)."""
    return load_arrays(options, "(n, length[, channels])", _shaped)


def _shaped(x: "NDArray[np.generic]") -> "NDArray[np.generic] | None":
    if x.ndim == 2:
        return x[:, :, None, None]
    return x[:, :, None, :] if x.ndim == 3 else None
