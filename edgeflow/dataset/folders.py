"""Files of the user in one folder for each class, or in such folders for each part."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edgeflow.dataset.base import GivenPart
from edgeflow.dataset.tree import Tree, folders_and_files, listed, named, tree

SPELLINGS: Mapping[str, GivenPart] = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}
"""Names of folders that hold a part of a dataset, in any case, and the part."""

_MEANT = re.compile(
    r"(?<![a-z])(trn|tst|dev|eval|evaluation|holdout|" + "|".join(SPELLINGS) + ")(?![a-z])"
)
"""What in the name of a folder, in small letters, says that it may be meant as a part."""

LAYOUTS = (
    "lay it out as CLASS/FILE, or as train/CLASS/FILE with val and test beside train; move all "
    "else out, and rename classes that are called like a part"
)


@dataclass(kw_only=True, slots=True)
class Layout:
    """Where the files of a dataset lie.

    Attributes:
        parts: for each part that the user gives, what lies in its class folders, by class. Without
            given parts, all is in `train`.
        given: whether the folders say which part a file belongs to.
        beside: files that lie beside the class folders, and so in no class.
        problems: why the folders cannot be read as they are.
    """

    parts: dict[GivenPart, dict[str, Tree]] = field(default_factory=dict)
    given: bool = False
    beside: list[Path] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def labels(self) -> tuple[str, ...]:
        """Return the names of all classes, sorted."""
        return tuple(sorted({label for classes in self.parts.values() for label in classes}))

    def trees(self) -> Iterator[Tree]:
        """Yield what lies in each class folder."""
        for classes in self.parts.values():
            yield from classes.values()


def layout(path: str) -> Layout:
    """Return how a folder is laid out: as ``class/...`` or ``train/class/...``.

    Folders within a class folder belong to its class. Nothing is opened, and nothing is raised:
    what is wrong stands in the result.
    """
    folders, beside = folders_and_files(Path(path).expanduser())
    parts: dict[GivenPart, list[Path]] = {}
    for folder in folders:
        if folder.name.casefold() in SPELLINGS:
            parts.setdefault(SPELLINGS[folder.name.casefold()], []).append(folder)
    others = [folder for folder in folders if folder.name.casefold() not in SPELLINGS]
    if _are_parts(parts, others):
        return _of_parts(parts, others, beside)
    classes = _classes(folders)
    problems = [*_parts_within(classes, Path(path)), *_taken_for_classes(classes)]
    return Layout(parts={"train": classes} if folders else {}, beside=beside, problems=problems)


def class_names(path: str) -> list[str]:
    """Return the names of the classes in `path`, sorted."""
    return list(layout(path).labels())


def class_files(path: str) -> dict[str, Path]:
    """Return all files of the class folders in `path`, named by their place below it."""
    root = Path(path).expanduser()
    files = [file for found in layout(path).trees() for file in found.files]
    return dict(zip(named(root, files), files, strict=True))


def _are_parts(parts: Mapping[GivenPart, list[Path]], others: list[Path]) -> bool:
    """Return whether folders with the names of parts are that, and no classes of such a name."""
    if "train" not in parts:
        return False
    deep = any(folders_and_files(folder)[0] for same in parts.values() for folder in same)
    return deep if others == [] or len(parts) > 1 else False


def _of_parts(
    parts: Mapping[GivenPart, list[Path]], others: list[Path], beside: list[Path]
) -> Layout:
    found = Layout(given=True, beside=list(beside))
    if others:
        found.problems.append(
            f"{_names(others)} beside {_names(_all(parts))}: no part is called so"
        )
    for part, folders in parts.items():
        if len(folders) > 1:
            found.problems.append(f"{_names(folders)} all name the part {part}")
        classes, loose = folders_and_files(folders[0])
        if not classes:
            found.problems.append(f"{folders[0]} holds no folder for each class")
        found.parts[part] = _classes(classes)
        found.beside += loose
    return found


def _names(folders: list[Path]) -> str:
    return listed([folder.name for folder in folders])


def _all(parts: Mapping[GivenPart, list[Path]]) -> list[Path]:
    return [folder for folders in parts.values() for folder in folders]


def _classes(folders: list[Path]) -> dict[str, Tree]:
    return {folder.name: tree(folder) for folder in folders}


def _parts_within(classes: Mapping[str, Tree], path: Path) -> Iterator[str]:
    """Yield the class folders that hold parts: to read them as one would mix these parts."""
    for label, found in classes.items():
        inner = [name for name in found.folders if name.casefold() in SPELLINGS]
        if len({SPELLINGS[name.casefold()] for name in inner}) < 2:
            continue
        if len(classes) == 1:
            yield f"its one folder, {label}, holds {listed(inner)}: set `path: {path / label}`"
        else:
            yield f"{label} holds {listed(inner)}; parts stand above the classes: train/{label}/..."


def _taken_for_classes(classes: Mapping[str, Tree]) -> Iterator[str]:
    """Yield the folders that would be classes, but are called like parts and hold the same folders.

    One such name may be a class, as `train` beside `car`: then all folders must be alike.
    """
    inner = {label: set(found.folders) for label, found in classes.items()}
    seen = Counter(name for names in inner.values() for name in names)
    alike = [label for label, names in inner.items() if any(seen[name] > 1 for name in names)]
    meant = [label for label in alike if _MEANT.search(label.casefold())]
    if len(meant) > 1 or (meant and len(alike) == len(classes)):
        shared = sorted(name for name, count in seen.items() if count > 1)
        yield (
            f"{listed(alike)} hold folders of the same names ({listed(shared)}), so they seem to "
            "be parts; parts are called train, val and test"
        )
