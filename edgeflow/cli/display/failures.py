"""Why steps failed: from the event log, and from the log of a step that left no event."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from edgeflow.cli.display.board import Job
from edgeflow.cli.display.text import short

TAIL_BYTES = 16 << 10


def failures(jobs: Iterable[Job], events: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return lines about each failed job: what, the first line of the error, code, log."""
    lines = []
    for job in jobs:
        event = next((events[log] for log in job.logs if log in events), {})
        code = event.get("exit_code")
        lines.append(f"failed: {job.title}: {short(str(event.get('error') or why(job)), 300)}")
        lines += [f"  {short(job.message, 300)}"] if job.message else []
        lines += [f"  exit code {code}: {meaning(code)}"] if code else []
        lines += [f"  log: {log}" for log in job.logs]
    return lines


def why(job: Job) -> str:
    """Return why a job failed, as far as its own log or whoever ran it tells."""
    own = last_words(Path(job.logs[0])) if job.logs else ""
    return own or job.message or "no reason was given"


def meaning(code: int) -> str:
    """Return what an exit code stands for, and where more is said of it."""
    from edgeflow.errors import EdgeflowError, leaves

    kind = next((kind for kind in leaves() if kind.exit_code == code), EdgeflowError)
    said = str(kind.__doc__).partition(".")[0]
    return f"{said}; see: edgeflow help {kind.anchor}"


def events_since(log: Path, start: int) -> dict[str, dict[str, Any]]:
    """Return the last failure of each step that began after byte `start`, by its log."""
    found: dict[str, dict[str, Any]] = {}
    try:
        with log.open("rb") as file:
            file.seek(start)
            for line in file:
                event = json.loads(line)
                if event.get("exit_code"):
                    found[str(event.get("log"))] = event
    except (OSError, ValueError):
        return found
    return found


def last_words(log: Path) -> str:
    """Return the error in a log, or its last line; empty if there is none.

    It is the last line that begins with ``error:``, as edgeflow writes it, of the log's end.
    """
    try:
        with log.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - TAIL_BYTES))
            lines = file.read().decode("utf-8", "replace").split("\n")
    except OSError:
        return ""
    said = [line.strip() for line in lines if line.strip()]
    errors = [line.removeprefix("error: ") for line in said if line.startswith("error: ")]
    return (errors or said or [""])[-1]
