"""Why steps failed: from the event log, and from the log of a step that left no event."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgeflow.cli.display.board import Job
from edgeflow.cli.display.text import short
from edgeflow.text import clean

TAIL_BYTES = 16 << 10
TAIL_LINES, ERROR_LINES = 10, 30
ERROR = "error: "


def failures(jobs: Iterable[Job], events: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return lines about each failed job: what, the first line of the error, hint, code, log."""
    lines = []
    for job in jobs:
        event = next((events[log] for log in job.logs if log in events), {})
        code = event.get("exit_code")
        place = job.title.partition(" ")[2]
        reason = str(event.get("error") or why(job)).removeprefix(f"{place}: ")
        lines.append(f"failed: {job.title}: {short(reason, 300)}")
        lines += [f"  {short(job.message, 300)}"] if job.message else []
        lines += [f"  hint: {short(str(event['hint']), 600)}"] if event.get("hint") else []
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
    """Return the first line of the error in a log, or its last line; empty if there is none."""
    lines = _end_of(log)
    if (begin := _begin(lines)) is not None:
        return lines[begin].removeprefix(ERROR).strip()
    return lines[-1].strip() if lines else ""


def error_in(log: Path) -> list[str]:
    """Return the whole error in a log as lines; where there is none, the end of the log."""
    lines = _end_of(log)
    begin = _begin(lines)
    if begin is None:
        return lines[-TAIL_LINES:]
    return [lines[begin].removeprefix(ERROR), *lines[begin + 1 : begin + ERROR_LINES]]


def _begin(lines: Sequence[str]) -> int | None:
    """Return which line the last error begins with, as edgeflow writes it."""
    found = [number for number, line in enumerate(lines) if line.startswith(ERROR)]
    return found[-1] if found else None


def _end_of(log: Path) -> list[str]:
    """Return the lines at the end of a log that say anything."""
    try:
        with log.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return []
    return [clean(line).rstrip() for line in text.splitlines() if line.strip()]
