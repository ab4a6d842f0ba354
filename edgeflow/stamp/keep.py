"""Writes the stamp of a project after a run that succeeded."""

import json
import os
import tempfile
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgeflow.stamp.check import FILE, SEPARATOR, facts, is_plain
from edgeflow.stamp.look import MODULES, RESULTS, Entry, Root, is_folder, look, text

OFFER = "EDGEFLOW_OFFER"
"""Environment variable that names the file into which the workflow writes what it depends on."""
TABLE = Path(".edgeflow/table.txt")
"""The table at the end of the last run."""
_SNAKEMAKE = Path(".snakemake")
_IN_FLUX = tuple(str(_SNAKEMAKE / name) for name in ("locks", "incomplete"))
"""Folders that are empty while nothing runs and nothing was interrupted."""
_TICK_NS, _COARSE_TICK_NS = 100_000_000, 2_000_000_000
"""Longest time within which two changes of a file may show the same time; the second is that of
file systems that keep whole seconds."""


@dataclass
class Attempt:
    """A run that may end in a stamp.

    Attributes:
        offer: file that the workflow writes; None where such a run is never stamped.
    """

    offer: Path | None
    began_ns: int = field(default_factory=time.time_ns)

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment for Snakemake."""
        return {**os.environ, **({OFFER: str(self.offer)} if self.offer else {})}

    def succeeded(self) -> None:
        """Write the stamp if nothing that Snakemake looked at changed since it began."""
        with suppress(OSError, ValueError):  # no stamp, and Snakemake looks again next time
            if self.offer and (content := _content(self.offer, self.began_ns)):
                _write(content)


@contextmanager
def attempt(arguments: Sequence[str]) -> Iterator[Attempt]:
    """Yield an attempt to bring the project up to date.

    Args:
        arguments: of `edgeflow run`.
    """
    if not is_plain(arguments) or "SNAKEMAKE_PROFILE" in os.environ:
        yield Attempt(None)
        return
    with tempfile.TemporaryDirectory(prefix="edgeflow-") as folder:
        yield Attempt(Path(folder, "offer.json"))


def _content(offer: Path, began_ns: int) -> str | None:
    offered: dict[str, Any] = json.loads(offer.read_text()) if offer.exists() else {}
    roots: list[Root] = [(kind, path) for kind, path in offered.get("roots", ())]
    if not roots or any("\n" in path or SEPARATOR[0] in path for _, path in roots):
        return None
    looks = {root: look(root) for root in roots}
    newest = max(_changed_ns(entry) for entries in looks.values() for entry in entries)
    if _may_repeat(newest, time.time_ns()):
        time.sleep(_tick_ns(newest) / 1e9)  # so that a later change shows another time
        looks = {root: look(root) for root in roots}
    there = {path for entries in looks.values() for path, _ in entries}
    if not there.issuperset(offered["outputs"]) and not _is_idle(looks, began_ns):
        return None
    if not all(_is_settled(root, entries, began_ns) for root, entries in looks.items()):
        return None
    lines = "\n".join(f"{kind} {path}" for kind, path in roots)
    seen = "\n".join(text(kind, entries) for (kind, _), entries in looks.items())
    return SEPARATOR.join((facts(os.environ), lines, seen, _said()))


def _is_idle(looks: Mapping[Root, Sequence[Entry]], began_ns: int) -> bool:
    """Return whether nothing came or went since the run began.

    Snakemake does not miss outputs that no job needs; but one may have been removed meanwhile.
    """
    entries = (entry for (kind, _), found in looks.items() if kind == RESULTS for entry in found)
    folders = (entry for entry in entries if entry[1] and is_folder(entry[1]))
    return not any(_may_repeat(_changed_ns(folder), began_ns) for folder in folders)


def _is_settled(root: Root, entries: Iterable[Entry], began_ns: int) -> bool:
    """Return whether a root is what the run saw of it or made itself."""
    if root[1] in _IN_FLUX:
        return not any(status and not is_folder(status) for _, status in entries)
    if root[1] == str(_SNAKEMAKE / "metadata"):
        return True
    if root[0] == MODULES:  # of what is installed, only the folder tells when
        entries = [(path, status) for path, status in entries if status and is_folder(status)]
    changed = [entry for entry in entries if _may_repeat(_changed_ns(entry), began_ns)]
    return not changed or (root[0] == RESULTS and _are_made(changed))


def _are_made(changed: Sequence[Entry]) -> bool:
    """Return whether Snakemake must take results for what their jobs left.

    It judges results by their modification times, and records a job after its files. A job that
    links an output of another has set its time too.
    """
    files = [(path, status) for path, status in changed if status and not is_folder(status)]
    recorded_ns: dict[int, int] = {}
    for path, status in files:
        found = max(_recorded_ns(part) for part in (path, *map(str, Path(path).parents)))
        recorded_ns[status.st_ino] = max(found, recorded_ns.get(status.st_ino, 0))
    return all(recorded_ns[status.st_ino] >= status.st_mtime_ns for _, status in files)


def _recorded_ns(path: str) -> int:
    """Return when Snakemake recorded the job that made an output; 0 if it never did."""
    name, longest = urlsafe_b64encode(path.encode()).decode(), os.pathconf(".", "PC_NAME_MAX") - 1
    parts = [name[start : start + longest] for start in range(0, len(name), longest)]
    place = Path(_SNAKEMAKE, "metadata", *(f"@{part}" for part in parts[:-1]), parts[-1])
    try:
        return place.stat().st_mtime_ns
    except OSError:
        return 0


def _changed_ns(entry: Entry) -> int:
    return entry[1].st_ctime_ns if entry[1] else 0


def _tick_ns(time_ns: int) -> int:
    return _COARSE_TICK_NS if time_ns % 1_000_000_000 == 0 else _TICK_NS


def _may_repeat(time_ns: int, now_ns: int) -> bool:
    """Return whether a change now might show this time too."""
    return time_ns > 0 and time_ns + _tick_ns(time_ns) > now_ns


def _said() -> str:
    table = TABLE.read_text() if TABLE.exists() else ""
    return f"{table}nothing to do: all is up to date\n"


def _write(content: str) -> None:
    # No fsync: a stamp that is lost costs one look by Snakemake.
    part = Path(f"{FILE}.{os.getpid()}.part")
    part.write_text(content, encoding="utf-8", errors="surrogateescape")
    part.replace(FILE)
