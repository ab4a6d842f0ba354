"""What was done to a model, by its audit log, and whether anybody has changed that."""

from __future__ import annotations

import contextlib
import fcntl
import os

from .audit import LOG, digest, entry_of, lines_before, lines_of
from .files import unblocked
from .model import Model

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import List, Tuple

    from .answer import Json


def history(options: argparse.Namespace) -> Json:
    """Return the last entries of the audit log, and whether its chain is whole."""
    model = Model(options.model_dir)
    older, newer, ended = logs(model.folder)
    lines = older + newer
    entries = [entry for entry in map(entry_of, lines) if entry is not None]
    last = entries[-options.last :] if options.last > 0 else []
    broken = first_break(lines, ended=ended, begins=not older)
    return {"entries": last, "chain": "whole" if broken is None else where(broken, len(older))}


def where(line: int, older: int) -> str:
    """Say where the chain is broken, as an editor counts the lines of the file."""
    if line < older:
        return f"broken at line {line + 1} of {LOG}.1"
    return f"broken at line {line - older + 1}"


def logs(folder: str) -> Tuple[List[bytes], List[bytes], bool]:
    """Return the lines of both logs, and whether the last line has its end."""
    path = os.path.join(folder, LOG)
    with contextlib.suppress(FileNotFoundError), open(path, "rb", opener=unblocked) as file:
        fcntl.flock(file, fcntl.LOCK_SH)  # neither half a line nor half a rotation
        newer = lines_of(file)
        file.seek(0)
        return lines_before(folder), newer, file.read().endswith(b"\n")
    return lines_before(folder), [], True


def first_break(lines: List[bytes], *, ended: bool, begins: bool) -> int | None:
    """Return the place of the first line that does not follow the one before; None if all do.

    Half a line is in its place where the next entry knows it, or where it is the last one and
    has no end: that is what a power cut leaves. An older agent's lines, which are not chained, can
    only be the first.

    Args:
        ended: whether the last line has its end.
        begins: whether these are all lines that there ever were.
    """
    before = None if begins else "any"
    torn: List[bytes] = []
    chained = False
    for place, line in enumerate(lines):
        entry = entry_of(line)
        if entry is None:
            torn.append(line)
            continue
        if "before" not in entry and (chained or torn):
            return place
        if "before" in entry:
            known = digest(b"\n".join(torn)) if torn else None
            if entry.get("torn") != known:
                return place - len(torn)
            if before != "any" and entry["before"] != before:
                return place
            chained = True
        before, torn = digest(line), []
    return len(lines) - len(torn) if torn and ended else None
