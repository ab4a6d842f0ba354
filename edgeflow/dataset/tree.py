"""The files below a folder, found without opening any."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

LEFT_BEHIND = frozenset({"Thumbs.db", "ehthumbs.db", "desktop.ini", "__MACOSX", "@eaDir"})
"""What file managers and archivers leave in folders; passed over like hidden files."""


@dataclass(kw_only=True, slots=True)
class Tree:
    """What lies below a folder, in the order of the names.

    Attributes:
        files: regular files, and links to such.
        unusable: all else that is no folder, with what it is: broken links, pipes, folders that
            cannot be listed or that link to a folder above them.
        folders: names of the folders at the top.
    """

    files: list[Path] = field(default_factory=list)
    unusable: dict[Path, str] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)


def visible(folder: Path | str) -> list["os.DirEntry[str]"]:
    """Return a folder's entries by name, without hidden ones and `LEFT_BEHIND`.

    Raises:
        OSError: it cannot be listed.
    """
    with os.scandir(folder) as entries:
        shown = [e for e in entries if not e.name.startswith(".") and e.name not in LEFT_BEHIND]
    return sorted(shown, key=lambda entry: entry.name)


def tree(folder: Path) -> Tree:
    """Return all that lies in a folder and in the folders below it; links are followed."""
    found = Tree()
    _collect(folder, found, ())
    return found


def _collect(folder: Path | str, found: Tree, above: tuple[tuple[int, int], ...]) -> None:
    try:
        status = Path(folder).stat()
        here = (status.st_dev, status.st_ino)
        if here in above:
            found.unusable[Path(folder)] = "links to a folder that it lies in"
            return
        entries = visible(folder)
    except OSError as error:
        found.unusable[Path(folder)] = f"cannot be listed: {error.strerror}"
        return
    for entry in entries:
        if entry.is_dir():
            found.folders += [] if above else [entry.name]
            _collect(entry.path, found, (*above, here))
        elif entry.is_file():
            found.files.append(Path(entry.path))
        else:
            found.unusable[Path(entry.path)] = _what(entry)


def _what(entry: "os.DirEntry[str]") -> str:
    return "is a broken link" if entry.is_symlink() else "is no regular file"


def folders_and_files(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the visible folders in a folder, and all else; nothing if it is no folder."""
    try:
        entries = visible(folder)
    except OSError:
        return [], []
    split: tuple[list[Path], list[Path]] = ([], [])
    for entry in entries:
        split[0 if entry.is_dir() else 1].append(Path(entry.path))
    return split


def named(root: Path, files: list[Path]) -> list[str]:
    """Return the places of files below a folder that they were found in."""
    start = 0 if str(root) == "." else len(str(root).rstrip("/")) + 1
    return [str(file)[start:] for file in files]


def listed(names: Sequence[str]) -> str:
    """Return names for a message, the first few of many."""
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(names[:10]) + more
