"""Starts Snakemake; with the rules, the only place that knows it."""

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from edgeflow.artifact.events import EVENTS

_claims: list[int] = []
"""Descriptors that hold a project's claim until this process ends."""


def claim(folder: Path) -> bool:
    """Claim a project for this process, and forget the lock of a Snakemake that was killed.

    Snakemake's own lock is a file, which outlives it. This claim ends with the process, so a
    lock found under a fresh claim is nobody's.

    Returns:
        Whether the claim is ours; False means that another run is alive.
    """
    place = folder / ".edgeflow" / "run.lock"
    place.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(place, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    _claims.append(descriptor)
    for lock in (folder / ".snakemake" / "locks").glob("*"):
        lock.unlink(missing_ok=True)
    return True


def run_snakemake(arguments: Sequence[str]) -> int:
    """Run Snakemake in this folder; return 0, or the exit code of the first failed step.

    Snakemake itself always fails with 1. The steps' event log tells the class of the failure.
    """
    start = EVENTS.stat().st_size if EVENTS.exists() else 0
    command = [sys.executable, "-m", "snakemake", *arguments]
    result = subprocess.run(command, check=False)
    if result.returncode == 0:
        return 0
    return next((code for code in _exit_codes(start) if code), result.returncode)


def _exit_codes(start: int) -> Iterator[int]:
    """Yield the exit codes of the events written after byte `start` of the log."""
    if not EVENTS.exists():
        return
    with EVENTS.open() as file:
        file.seek(start)
        for line in file:
            yield int(json.loads(line)["exit_code"])
