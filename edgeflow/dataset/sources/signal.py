"""Signals of the user in one .npz file: one-dimensional, of one channel or more."""

from pathlib import Path

from edgeflow.config.dataset import SignalDataset
from edgeflow.dataset.arrays import array_file, load_arrays
from edgeflow.dataset.axes import arranged_signals
from edgeflow.dataset.base import RawDataset

TOOLS = ()


def files(section: SignalDataset) -> dict[str, Path]:
    """Return the file if it exists."""
    return array_file(section)


def load(section: SignalDataset, *, values: bool = True) -> RawDataset:
    """Return the samples, (n, length, 1, channels)."""
    return load_arrays(section, "(n, length[, channels])", arranged_signals, values=values)
