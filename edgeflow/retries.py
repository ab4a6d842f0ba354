"""Which failed jobs of a cluster are worth another attempt, and which of those need more memory.

Snakemake repeats a job whatever failed. A step that ended by itself would end so again. One that
was killed for memory needs more; one that was cancelled, ran out of time or lost its node does not.
"""

import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any

EVENTS = Path("logs/events.jsonl")
_MEMORY = re.compile(r"\bOUT_OF_MEMORY\b|oom.kill|\bKilled\b|died with <Signals\.SIGKILL")
"""What Slurm, its step daemon, bash and Snakemake say of a process that the kernel killed."""

_kills: Counter[frozenset[tuple[str, str]]] = Counter()


class End(Enum):
    """How a job ended."""

    ITSELF = "the step failed"
    MEMORY = "it was killed for memory"
    OUTSIDE = "it was cancelled, ran out of time, or lost its node"


def memory_kills(wildcards: Iterable[tuple[str, str]]) -> int:
    """Return how many attempts of a job were killed for memory in this run."""
    return _kills[frozenset(wildcards)]


def consider(job: Any, job_id: str, message: str, log: Path) -> None:
    """Decide about the next attempt of Snakemake's `job`, which has failed.

    Args:
        job: Snakemake's job, before it counts the failure.
        job_id: the cluster's name of it.
        message: what the executor says of the failure; it names Slurm's state.
        log: of the cluster's job.
    """
    end = how_it_ended(job_id, message, _text(log))
    if end is End.ITSELF:
        job.attempt = job.restart_times + 1
    elif end is End.MEMORY:
        _kills[frozenset(job.wildcards.items())] += 1


def how_it_ended(job_id: str, message: str, log: str) -> End:
    """Return how a failed job ended, by its step's event, Slurm's state and its log."""
    failures = [event for event in _events(job_id) if event.get("outcome") == "failed"]
    if failures:
        out_of_memory = failures[-1].get("error") == "MemoryError"
        return End.MEMORY if out_of_memory else End.ITSELF
    stopped = re.search(r"'(CANCELLED|TIMEOUT|PREEMPTED|NODE_FAIL|DEADLINE|REVOKED)", message)
    if not stopped and _MEMORY.search(f"{message}\n{log}"):
        return End.MEMORY
    return End.OUTSIDE


def _events(job_id: str) -> Iterator[dict[str, Any]]:
    for line in _text(Path(os.environ.get("EDGEFLOW_EVENTS") or EVENTS)).splitlines():
        if job_id not in line:
            continue
        try:
            event = json.loads(line)
        except ValueError:  # two nodes wrote at once
            continue
        if isinstance(event, dict) and event.get("slurm_job") == job_id:
            yield event


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
