"""What a file or folder looks like now: the lines that a stamp consists of."""

import os
from collections.abc import Iterable, Iterator

Root = tuple[str, str]
"""A kind and a path."""

SOURCE, CODE, MODULES, RESULTS = "source", "code", "modules", "results"
"""Kinds of roots.

- source: a file, or a folder with all below it.
- code: the same without compiled modules.
- modules: a folder where Python looks for modules: their names, and what is installed.
- results: what the workflow itself writes.
"""
Entry = tuple[str, os.stat_result | None]
"""A path and its status; None where nothing is there, or where only the name counts."""

_MODULE_SUFFIXES = (".py", ".pyc", ".so", ".pth", ".zip")
_COMPILED = "__pycache__"


def look(root: Root) -> list[Entry]:
    """Return what a root consists of, in the order of the names."""
    kind, path = root
    if kind == MODULES:
        return list(_modules(path))
    return list(_tree(path, frozenset({_COMPILED} if kind == CODE else ())))


def text(kind: str, entries: Iterable[Entry]) -> str:
    """Return a line for each entry: equal lines mean that nothing was changed.

    The status has the size, both times, and what tells a file that was put in the place of another
    of equal size and time. Of folders the names in them count, and of those that a job made the
    time, as it does for Snakemake. Of installed packages the change time does not count: uv links
    them to its cache, so each new environment changes it for all.
    """
    return "\n".join(
        f"{path!r}"
        if s is None
        else f"{path!r} {s.st_mtime_ns if kind == RESULTS else ''}"
        if is_folder(s)
        else f"{path!r} {s.st_size} {s.st_mtime_ns} {s.st_ino} {s.st_dev}"
        if kind == MODULES
        else f"{path!r} {s.st_size} {s.st_mtime_ns} {s.st_ctime_ns} {s.st_ino} {s.st_dev}"
        for path, s in entries
    )


def is_folder(status: os.stat_result) -> bool:
    """Return whether a status is a folder's."""
    return (status.st_mode & 0o170000) == 0o040000  # the module stat costs an import


def _tree(
    path: str, passed_over: frozenset[str], above: frozenset[int] = frozenset()
) -> Iterator[Entry]:
    status = _status(path)
    yield (path if status else f"{path} is missing"), status
    if not status or not is_folder(status) or status.st_ino in above:  # a link upward
        return
    inside = above | {status.st_ino}
    for entry in _listed(path):
        if entry.name in passed_over:
            continue
        if entry.is_dir():
            yield from _tree(entry.path, passed_over, inside)
        else:
            yield entry.path, _status(entry.path)


def _listed(path: str) -> list["os.DirEntry[str]"]:
    try:
        with os.scandir(path) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return []


def _status(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)  # noqa: PTH116  # pathlib costs an import
    except OSError:  # missing, or a broken link
        return None


def _modules(path: str) -> Iterator[Entry]:
    yield path, None if path == os.getcwd() else _status(path)  # noqa: PTH109
    for entry in _listed(path):
        name = entry.name
        if name.endswith(".dist-info"):
            yield from _tree(f"{entry.path}/METADATA", frozenset())
        elif name.endswith(".pth"):
            yield entry.path, _status(entry.path)
        elif name.endswith(_MODULE_SUFFIXES) or _is_package(entry):
            yield entry.path, None


def _is_package(entry: "os.DirEntry[str]") -> bool:
    return not entry.name.startswith((".", _COMPILED)) and entry.is_dir()
