"""Signals of the user in one .npz file: one-dimensional, of one channel or more."""

from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from edgeflow.config.dataset import SignalDataset
from edgeflow.dataset.arrays import array_file, load_arrays, no_arrays
from edgeflow.dataset.axes import arranged_signals
from edgeflow.dataset.base import RawDataset

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TOOLS = ()


def files(section: SignalDataset) -> dict[str, Path]:
    """Return the file if it exists."""
    return array_file(section)


def load(section: SignalDataset, *, values: bool = True) -> RawDataset:
    """Return the samples, (n, length, 1, channels)."""
    return load_arrays(section, "(n, length[, channels])", arranged_signals, values=values)


def suffixes() -> frozenset[str]:
    """Return none: samples are arrays, many to a file."""
    return frozenset()


def read(path: Path, section: SignalDataset) -> NoReturn:
    """Refuse all files but those of arrays."""
    raise no_arrays(path)


def arranged(x: "NDArray[np.generic]", section: SignalDataset) -> "NDArray[np.generic] | None":
    """Return arrays as `load` does; None where their axes do not fit."""
    return arranged_signals(x, section.data_format)
