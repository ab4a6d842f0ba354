"""Where a step's words go when a rule gives it a log file."""

import os
import sys
from pathlib import Path

from edgeflow.artifact.events import set_event_log
from edgeflow.console import attach_log, attach_terminal

QUIET = "EDGEFLOW_QUIET"
"""Environment variable that keeps steps off the terminal, where a picture of them all is."""


def send_to(log: Path | None) -> None:
    """Send standard output and error, also of C++ libraries, to `log`; progress to both.

    The event log stands beside the steps' log folders: ``logs/train/x.log`` belongs to
    ``logs/events.jsonl``. `EDGEFLOW_EVENTS` names another, for logs that do not stay here.
    """
    if log is None:
        return
    log.parent.mkdir(parents=True, exist_ok=True)
    events = os.environ.get("EDGEFLOW_EVENTS")
    set_event_log(Path(events) if events else log.parent.parent / "events.jsonl", log)
    if not os.environ.get(QUIET):
        attach_terminal(os.fdopen(os.dup(2), "w", buffering=1))
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    sys.stdout.flush()
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    attach_log(log)
