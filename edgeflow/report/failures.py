"""Why deployments have no figures: the last failures of their steps, by the event log."""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

_STEPS = {
    "train": "{model}",
    "import": "{model}",
    "compress": "{model}/{recipe}",
    "compile": "{target}/{model}/{recipe}",
    "bundle": "{target}/{model}/{recipe}",
    "deploy": "{device}/{model}",
    "validate": "{device}/{model}",
}
"""Steps of a deployment before its gates, in their order, and what their events are named."""

Failures = Mapping[str, Mapping[str, str]]
"""For `key` of a unit: ``step``, ``error``, and if known ``hint`` and ``log``."""


def key(unit: Mapping[str, Any]) -> str:
    """Return by what a unit is found among failures."""
    return "{model}/{recipe}/{target}/{device}".format(**unit)


def load_failures(events: Path, slice_: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return the first step of each unit whose last run failed; a unit without one is not there.

    Args:
        events: the event log; it need not be there.
        slice_: the units, as in the plan's report job.
    """
    last = {(event.get("step"), event.get("name")): event for event in _events(events)}
    failed = {key: event for key, event in last.items() if event.get("outcome") == "failed"}
    found = {key(unit): _first(failed, unit) for unit in slice_["units"]}
    return {name: _told(event) for name, event in found.items() if event is not None}


def _first(
    failed: Mapping[tuple[Any, Any], dict[str, Any]], unit: Mapping[str, Any]
) -> dict[str, Any] | None:
    steps = ((step, name.format(**unit)) for step, name in _STEPS.items())
    return next((failed[each] for each in steps if each in failed), None)


def _told(event: Mapping[str, Any]) -> dict[str, str]:
    told = {name: str(event[name]) for name in ("step", "error", "hint", "log") if name in event}
    return {"error": f"exit code {event.get('exit_code')}", **told}


def _events(path: Path) -> Iterator[dict[str, Any]]:
    lines = path.read_text(errors="replace").splitlines() if path.is_file() else ()
    for line in lines:
        with suppress(ValueError):  # two nodes may have written one line
            event = json.loads(line)
            if isinstance(event, dict):
                yield event
