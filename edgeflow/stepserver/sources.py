"""Whether the code that a process has imported is still what lies on the disk."""

import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

State = tuple[int, ...] | None
_PACKAGES = ("site-packages", "dist-packages")


@dataclass(slots=True)
class Loaded:
    """edgeflow's modules in this process, and the folders that libraries are installed in.

    A file counts with its inode, size and the time of its last change of any kind, which no
    program can set; one that changed while it was imported is never current.
    """

    _states: dict[str, State] = field(default_factory=dict)
    _torn: bool = False

    @classmethod
    @contextmanager
    def watching(cls) -> Iterator["Loaded"]:
        """Give a record of what is imported in the block, complete at its end."""
        loaded, begun_ns = cls(), time.time_ns()
        loaded._states = _look(_folders())
        before = dict(loaded._states)
        yield loaded
        files = _look(_files())
        loaded._torn = _look(before) != before or any(
            state is None or state[0] >= begun_ns for state in files.values()
        )
        loaded._states.update(files)

    def is_current(self) -> bool:
        """Return whether a fresh process would import the same."""
        return not self._torn and _look(self._states) == self._states


def _folders() -> list[str]:
    return [place for place in sys.path if os.path.basename(place) in _PACKAGES]  # noqa: PTH119


def _files() -> list[str]:
    ours = [module for name, module in sys.modules.items() if name.partition(".")[0] == "edgeflow"]
    return [file for module in ours if (file := getattr(module, "__file__", None))]


def _look(paths: Iterable[str]) -> dict[str, State]:
    return {path: _state(path) for path in paths}


def _state(path: str) -> State:
    try:
        found = os.stat(path)  # noqa: PTH116  # hundreds before each step
    except OSError:
        return None
    return (found.st_ctime_ns, found.st_ino, found.st_size)
