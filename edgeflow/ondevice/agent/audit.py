"""The audit log, for people."""

from __future__ import annotations

import contextlib
import json
import os
import time

from .files import fsync
from .folders import is_folder, set_aside

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LOG = "audit.log"
# Some 500 lines; as many older ones are in the log before.
LOG_MAX_BYTES = 128 << 10
QUOTED = 1000  # characters of one fact
UNSIGNED = "unsigned"  # in the place of a signer's name


def audit(folder: str, verb: str, **facts: Any) -> None:
    """Append one line to the audit log."""
    now = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
    facts = {key: fact[:QUOTED] if isinstance(fact, str) else fact for key, fact in facts.items()}
    line = json.dumps(dict(facts, verb=verb, time=now), sort_keys=True)
    # The log is for people: what was done stays done if a full disk takes no more of it.
    with contextlib.suppress(OSError), open(os.path.join(folder, LOG), "ab+") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 1))
        torn = file.read() not in (b"", b"\n")  # a power cut left half a line
        file.write((b"\n" if torn else b"") + line.encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def rotate(folder: str) -> None:
    """Let a long log replace the one before it, in one step; the lock is held."""
    path = os.path.join(folder, LOG)
    with contextlib.suppress(OSError):  # as above; or there is none
        if os.path.getsize(path) > LOG_MAX_BYTES:
            if is_folder(path + ".1"):
                set_aside(path + ".1")
            os.replace(path, path + ".1")
            fsync(folder)
