"""The audit log, for people."""

from __future__ import annotations

import contextlib
import json
import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def audit(folder: str, verb: str, **facts: Any) -> None:
    """Append one line to the audit log."""
    now = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
    line = json.dumps(dict(facts, verb=verb, time=now), sort_keys=True)
    path = os.path.join(folder, "audit.log")
    # The log is for people: what was done stays done if a full disk takes no more of it.
    with contextlib.suppress(OSError), open(path, "ab+") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 1))
        torn = file.read() not in (b"", b"\n")  # a power cut left half a line
        file.write((b"\n" if torn else b"") + line.encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
