"""Arrays of the user in one .npz file; uint8 0..255, or float samples taken as they are."""

from pathlib import Path

from edgeflow.config.dataset import NpzDataset
from edgeflow.dataset.arrays import array_file, load_arrays
from edgeflow.dataset.base import RawDataset

TOOLS = ()


def files(options: NpzDataset) -> dict[str, Path]:
    """Return the file if it exists."""
    return array_file(options)


def load(options: NpzDataset) -> RawDataset:
    """Return the samples, (n, height, width, channels); those with no channel axis get one."""
    return load_arrays(
        options,
        "(n, height, width[, channels])",
        lambda x: {3: x[..., None], 4: x}.get(x.ndim),
    )
