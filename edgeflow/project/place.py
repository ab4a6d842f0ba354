"""Which of edgeflow's sources a file or folder of the user is for, and what lies there."""

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgeflow.dataset.base import GivenPart
from edgeflow.dataset.folders import Layout, layout
from edgeflow.dataset.tree import folders_and_files
from edgeflow.errors import DataError

Kind = Literal["image_folder", "wav_folder", "arrays"]

CONVERT = (
    "write one .npz file: np.savez('data.npz', x=x, y=y), x uint8 or float (n, ...), y class "
    "numbers (n,) or float targets"
)
DEEPEST = 5
"""Folders around the one that is meant, as archives leave them, that are passed through."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Data of the user.

    Attributes:
        kind: of what it is.
        path: the file, or the folder that holds the classes or parts.
        layout: of a folder.
    """

    kind: Kind
    path: Path
    layout: Layout | None = None

    def files(self) -> dict[str, Path]:
        """Return the files of all classes, by their place below the folder."""
        if self.layout is None:
            return {self.path.name: self.path}
        found = (file for tree in self.layout.trees() for file in tree.files)
        return {str(file.relative_to(self.path)): file for file in found}

    def counts(self) -> dict[GivenPart, dict[str, int]]:
        """Return the number of files of each class, by part."""
        parts = self.layout.parts if self.layout else {}
        return {
            part: {label: len(tree.files) for label, tree in classes.items()}
            for part, classes in parts.items()
        }


def whole(path: Path) -> Path:
    """Return an absolute path without `..`; links stay, unless a `..` leads out of one."""
    path = path.expanduser().absolute()
    plain = Path(os.path.normpath(path))
    return plain if plain.resolve() == path.resolve() else path.resolve()


def find(path: Path) -> Place:
    """Return what lies at a place.

    Raises:
        DataError: nothing that edgeflow has a source for.
    """
    if not path.exists():
        raise DataError(f"{path} does not exist", hint="name a folder of data, or an .npz file")
    return _folder(path) if path.is_dir() else _file(path)


def _file(path: Path) -> Place:
    if path.suffix.lower() != ".npz":
        raise DataError(f"edgeflow has no source for the file {path.name}", hint=CONVERT)
    return Place(kind="arrays", path=path)


def _folder(path: Path) -> Place:
    for _ in range(DEEPEST):
        found = layout(str(path))
        inner, loose = folders_and_files(path)
        arrays = [file for file in loose if file.suffix.lower() == ".npz"]
        if not inner and len(arrays) == 1:
            return _file(arrays[0])
        if len(inner) != 1 or not folders_and_files(inner[0])[0]:
            break
        path = inner[0]
    else:
        found = layout(str(path))
    return Place(kind=_kind(path, found), path=path, layout=found)


def _kind(path: Path, found: Layout) -> Kind:
    """Return what most files in a folder are."""
    from PIL import Image

    files = [file for tree in found.trees() for file in tree.files]
    suffixes = Counter(file.suffix.lower() for file in files or found.beside)
    sounds = suffixes[".wav"]
    images = sum(suffixes[suffix] for suffix in Image.registered_extensions())
    if not sounds and not images:
        listed = ", ".join(suffix or "no suffix" for suffix, _ in suffixes.most_common(5))
        holds = f"files of {listed}" if listed else "no files in folders"
        raise DataError(
            f"{path} holds {holds}, and no images or WAV files",
            hint=f"put images or WAV files into a folder for each class; of other data {CONVERT}",
        )
    return "wav_folder" if sounds > images else "image_folder"
