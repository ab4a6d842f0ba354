"""Sounds of the user: a folder of WAV files per class, as features of clips of one length."""

import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeflow.config.dataset import WavFolderDataset
from edgeflow.dataset.base import RawDataset
from edgeflow.dataset.classes import Reader, read_classes
from edgeflow.dataset.folders import class_files
from edgeflow.errors import DataError
from edgeflow.ondevice.front_end import features

if TYPE_CHECKING:
    from numpy.typing import NDArray

TOOLS = ("scipy",)


def files(options: WavFolderDataset) -> dict[str, Path]:
    """Return all WAV files, named ``class/file``."""
    return class_files(options.path)


def load(options: WavFolderDataset) -> RawDataset:
    """Return the features of all clips, float32 (n, frames, features, 1)."""
    import numpy as np

    parameters = options.front_end()
    silence = np.zeros(1)
    reader = Reader(
        shape=features(silence, parameters).shape,
        dtype=np.float32,
        read=lambda path: features(_recorded(path, options.features.rate), parameters),
        what="WAV files",
        suffixes=frozenset({".wav"}),
    )
    return replace(read_classes(options.path, reader, scale=1.0), front_end=parameters)


def _recorded(path: Path, rate: int) -> "NDArray[Any]":
    """Return a file's samples as they are stored, (n,) or (n, channels)."""
    from scipy.io import wavfile

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", wavfile.WavFileWarning)  # such as a file cut short
            warnings.filterwarnings("ignore", message=r"Chunk \(non-data\) not understood")
            found, samples = wavfile.read(path)
    except Exception as error:  # on corrupt bytes scipy raises many kinds
        raise DataError(
            f"{path} cannot be read as WAV: {error}",
            hint="replace it or move it out of the class folder",
        ) from error
    if found != rate:
        raise DataError(
            f"{path} has {found} samples per second, the dataset's features take {rate}",
            hint=f"convert it, for example with `ffmpeg -i {path.name} -ar {rate} new.wav`, "
            f"or set `features.rate: {found}` if all files have that rate",
        )
    recorded: NDArray[Any] = samples
    return recorded
