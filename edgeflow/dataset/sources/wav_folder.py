"""Sounds of the user: a folder of WAV files per class, as features of clips of one length."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgeflow.config.dataset import WavFolderDataset
from edgeflow.dataset.base import RawDataset
from edgeflow.dataset.classes import Reader, read_classes
from edgeflow.dataset.folders import class_files
from edgeflow.dataset.sound import Recordings
from edgeflow.ondevice.front_end import features

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TOOLS = ("scipy",)


def suffixes() -> frozenset[str]:
    """Return that of WAV files."""
    return frozenset({".wav"})


def files(section: WavFolderDataset) -> dict[str, Path]:
    """Return all WAV files, named ``class/file``."""
    return class_files(section.path)


def load(section: WavFolderDataset, *, values: bool = True) -> RawDataset:
    """Return the features of all clips, float32 (n, frames, features, 1)."""
    recordings = Recordings(section=section)
    raw = read_classes(section.path, reader(recordings), scale=1.0, values=values)
    return replace(raw, front_end=section.front_end(), notes=tuple(recordings.notes()))


def reader(recordings: Recordings) -> Reader:
    """Return what reads each file, and keeps in `recordings` what there is to tell."""
    import numpy as np

    parameters = recordings.section.front_end()
    return Reader(
        shape=features(np.zeros(1), parameters).shape,
        dtype=np.float32,
        read=lambda path: features(recordings.clip(path), parameters),
        what="WAV files",
        suffixes=suffixes(),
    )


def read(path: Path, section: WavFolderDataset) -> "NDArray[np.float32]":
    """Return the features of one file, float32 (frames, features, 1)."""
    clip = Recordings(section=section).clip(path)
    made: NDArray[np.float32] = features(clip, section.front_end())
    return made
