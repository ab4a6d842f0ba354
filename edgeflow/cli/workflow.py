"""Starts Snakemake; with the rules, the only place that knows it."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

EVENTS = Path("logs/events.jsonl")


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
