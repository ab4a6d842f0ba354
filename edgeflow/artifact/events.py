"""`logs/events.jsonl`: what each step did and what it took, one JSON object a line."""

import json
import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from edgeflow.console import say
from edgeflow.errors import EdgeflowError, known

EVENTS = Path("logs/events.jsonl")
"""Where the events of a project are, below its folder."""
_LOG: list[Path] = []
_WORDS: dict[str, str] = {}
_PROCESS = {"process": "own"}


def set_event_log(path: Path, log: Path | None = None) -> None:
    """Send this process' events to `path` (appended, one atomic write per event).

    Args:
        path: the event log.
        log: where this process says everything else.
    """
    _LOG[:] = [path]
    _WORDS.clear()
    _WORDS.update({"log": str(log)} if log else {})


def set_process(process: str) -> None:
    """Let this process' events say how it began: as its ``own``, or ``forked`` from a warm one."""
    _PROCESS["process"] = process


@dataclass
class Event:
    """One run of a step; fill `facts` inside `recorded`, and `name` once more of it is known."""

    step: str
    name: str
    facts: dict[str, object] = field(default_factory=dict)


_OPEN: list[Event] = []


def _append(path: Path, record: dict[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps(record, sort_keys=True) + "\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, line.encode())  # O_APPEND: one write, never torn between processes
    finally:
        os.close(descriptor)


def _try_append(path: Path, record: dict[str, object]) -> None:
    try:
        _append(path, record)
    except OSError as error:  # a full disk must not hide why, or that, the step ended
        say(f"the event log {path} cannot be written: {error.strerror}")


def _job() -> dict[str, str]:
    """Return which job of a cluster this process runs in, if any."""
    job, array = os.environ.get("SLURM_JOB_ID"), os.environ.get("SLURM_ARRAY_JOB_ID")
    if array:
        job = f"{array}_{os.environ.get('SLURM_ARRAY_TASK_ID')}"
    return {"slurm_job": job} if job else {}


class ElsewhereError(BaseException):
    """The step goes on in another process, which records it; no failure, and nothing catches it."""


@contextmanager
def recorded(step: str, name: str) -> Iterator[Event]:
    """Append one event when the block ends, with outcome, seconds and peak memory.

    A block of the same step within it belongs to the same event.
    """
    if _OPEN and (_OPEN[-1].step, _OPEN[-1].name) == (step, name):
        yield _OPEN[-1]
        return
    event, start, outcome, code = Event(step, name), time.monotonic(), "failed", 1
    _OPEN.append(event)
    try:
        yield event
        outcome, code = "done", 0
    except (EdgeflowError, OSError) as error:
        failure = known(error)
        if failure is not None:
            code = failure.exit_code
            event.facts["error"] = failure.message.partition("\n")[0]
            event.facts.update({"hint": failure.hint} if failure.hint else {})
        raise
    except MemoryError:
        event.facts["error"] = "MemoryError"
        raise
    except ElsewhereError:
        outcome = ""
        raise
    finally:
        _OPEN.remove(event)
        peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        record = {
            "step": event.step,
            "name": event.name,
            "outcome": outcome,
            "exit_code": code,
            "ended_unix_s": round(time.time(), 3),
            "seconds": round(time.monotonic() - start, 3),
            "peak_rss_mb": round(peak_kib / 1024, 1),
            **_PROCESS,
            **_job(),
            **_WORDS,
            **event.facts,
        }
        for path in _LOG if outcome else ():
            _try_append(path, record)
