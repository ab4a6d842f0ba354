"""Whether a release works here: its golden vectors, within bounds."""

from __future__ import annotations

import json
import os
import time

from .bounded import run_bounded
from .served import not_served

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from .answer import Json
    from .bounded import Ended
    from .model import Model

LAST_CHARACTERS = 500
SERVED_S = 5.0
"""Least time that a service has to follow."""


def fault_of(model: Model, name: str, options: argparse.Namespace) -> str | None:
    """Return why a release is not healthy, or None.

    It computes its golden vectors here, and the model's service, where one runs, has to serve it.

    Args:
        options: `python` to run it with, `unit` for its engine as JSON, `health_s`,
            `max_latency_ms` and `max_rss_mb`.
    """
    deadline = time.monotonic() + options.health_s
    # -B: a release is read-only, no compiled files beside its own.
    argv = [options.python, "-B", os.path.join(model.release(name), "runner.py")]
    argv += ["--unit", options.unit] if options.unit else []
    argv += ["golden"]
    argv += ["--timed"] if options.max_latency_ms is not None else []
    try:
        ended = run_bounded(argv, model.folder, options.health_s, options.max_rss_mb)
    except OSError as error:
        return f"its runner does not start: {error}"
    deadline = max(deadline, time.monotonic() + SERVED_S)
    return broken_bound(ended, options) or not_served(model.folder, name, deadline)


def broken_bound(ended: Ended, options: argparse.Namespace) -> str | None:
    """Return what is wrong with an answer of the runner, if anything."""
    said = ended.output.decode("utf-8", "replace").strip()
    answer = answered(said)
    if ended.broke is not None:
        return f"its golden vectors took {ended.broke}"
    if ended.code < 0:
        return f"its runner was killed by signal {-ended.code}"
    if answer.get("passed") is not True or ended.code != 0:
        return f"its golden vectors failed (exit code {ended.code}): {said[-LAST_CHARACTERS:]}"
    latency_ms = answer.get("latency_ms")
    if options.max_latency_ms is not None:
        if not isinstance(latency_ms, (int, float)):
            return "its runner gives no latency"
        if not latency_ms <= options.max_latency_ms:
            return f"an inference took {latency_ms:g} ms, allowed are {options.max_latency_ms:g}"
    peak_mb = answer.get("peak_rss_mb") or ended.peak_mb
    if options.max_rss_mb is not None and not peak_mb <= options.max_rss_mb:
        return f"it took {peak_mb:g} MB of memory, allowed are {options.max_rss_mb:g}"
    return None


def answered(said: str) -> Json:
    """Return the JSON object in the last line that holds one; an engine may print around it."""
    for line in reversed(said.splitlines()):
        try:
            answer = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(answer, dict):
            return answer
    return {}
