"""The audit log, for people: a chain, in which a line that was changed or removed shows.

Each line has the digest of the line `before` it. A power cut may leave half a line: the next one
then has the digest of that in `torn`, and follows the last whole line.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import time

from .files import fsync, unblocked
from .folders import is_folder, set_aside
from .lock import is_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO, Any, List

    from .answer import Json

LOG = "audit.log"
# Some 400 lines; as many older ones are in the log before.
LOG_MAX_BYTES = 128 << 10
QUOTED = 1000  # characters of one fact
UNSIGNED = "unsigned"  # in the place of a signer's name


def audit(folder: str, verb: str, **facts: Any) -> None:
    """Append one line to the audit log."""
    now = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
    facts = {key: fact[:QUOTED] if isinstance(fact, str) else fact for key, fact in facts.items()}
    # The log is for people: what was done stays done if a full disk takes no more of it.
    with contextlib.suppress(OSError), opened(folder) as file:
        lines = lines_before(folder) + lines_of(file)
        entry = dict(facts, verb=verb, time=now, **link(lines))
        file.seek(max(0, file.seek(0, os.SEEK_END) - 1))
        torn = file.read() not in (b"", b"\n")
        line = json.dumps(entry, sort_keys=True).encode()
        file.write((b"\n" if torn else b"") + line + b"\n")
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def opened(folder: str) -> Iterator[IO[bytes]]:
    """Open the log for one writer at a time; a verb that was refused writes without the lock."""
    path = os.path.join(folder, LOG)
    while True:
        with open(path, "ab+", opener=unblocked) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            # Another process may have let the log go in the meantime.
            if is_at(file, path):
                yield file
                return


def lines_of(file: IO[bytes]) -> List[bytes]:
    """Return the lines of an open log; the last one may be half a line."""
    file.seek(0)
    lines = file.read().split(b"\n")
    return lines if lines[-1] else lines[:-1]


def lines_before(folder: str) -> List[bytes]:
    """Return the lines of the log before this one, if there is one."""
    path = os.path.join(folder, LOG + ".1")
    with contextlib.suppress(OSError), open(path, "rb", opener=unblocked) as file:
        return lines_of(file)
    return []


def entry_of(line: bytes) -> Json | None:
    """Return the entry in a line; None if it is half a line, or somebody's."""
    try:
        entry = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) and "verb" in entry else None


def digest(line: bytes) -> str:
    """Return what the next line has of one."""
    return hashlib.sha256(line).hexdigest()


def link(lines: List[bytes]) -> Json:
    """Return what binds the next entry to the lines before it."""
    count = len(lines)
    while count and entry_of(lines[count - 1]) is None:
        count -= 1
    chained: Json = {"before": digest(lines[count - 1]) if count else None}
    if count < len(lines):
        chained["torn"] = digest(b"\n".join(lines[count:]))
    return chained


def rotate(folder: str) -> None:
    """Let a long log replace the one before it, in one step; the lock is held."""
    path = os.path.join(folder, LOG)
    with contextlib.suppress(OSError):  # as above; or there is none
        if os.path.islink(path):  # what it points at is no log of ours
            set_aside(path)
        if os.path.getsize(path) > LOG_MAX_BYTES:
            if is_folder(path + ".1"):
                set_aside(path + ".1")
            with opened(folder):
                os.replace(path, path + ".1")
            fsync(folder)
