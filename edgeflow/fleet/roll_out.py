"""The waves step: bundles brought to a fleet, once their bench devices have passed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgeflow.artifact.atomic import write_json
from edgeflow.artifact.events import recorded
from edgeflow.console import say
from edgeflow.fleet.campaign import run_rollout
from edgeflow.fleet.prepare import prepare, state_of
from edgeflow.fleet.recall import recall
from edgeflow.fleet.result import write_result
from edgeflow.fleet.standby import stage_all
from edgeflow.fleet.state import pause_file
from edgeflow.fleet.told import told_to_end


def roll_out(slice_: Mapping[str, Any], code: str, results: Path, out: Path) -> None:
    """Bring bundles to a fleet in waves; go on where an earlier run has ended.

    However it ends, rollout.json and retry.csv beside `out` say what came of each device.

    Args:
        slice_: as in the plan's waves job.
        code: fingerprint of the step's code.
        results: folder that holds the bundles.
        out: file that is written once the last wave has ended.

    Raises:
        RolloutError: it ended before that.
        ConfigError: the inventory cannot be used.
    """
    with recorded("waves", slice_["name"]) as event, told_to_end() as told:
        ready = prepare(slice_, results)
        state = state_of(results, slice_["name"])
        if not pause_file(state).exists():
            recall(ready.spec, ready.units, state, lambda: not told())
        result = run_rollout(ready.spec, ready.units, state, told)
        write_result(result, out.parent, ready.rows)
        event.facts.update(result.counts)
        failure = result.failure()
        if failure is not None:
            raise failure
        say(f"rollout {slice_['name']}: {in_words(result.counts)}")
        standbys = stage_all(ready.standbys, ready.spec.connections, lambda: not told())
        for station, state_there in standbys.items():
            say(f"rollout {slice_['name']}: standby of {station}: {state_there}")
        record = {"code": code, "counts": result.counts, "rollout": slice_["name"]}
        write_json(out, {**record, "standbys": standbys})


def in_words(counts: Mapping[str, int]) -> str:
    """Return how many devices ended how, without what none did."""
    named = (f"{count} {name.replace('_', ' ')}" for name, count in counts.items() if count)
    return ", ".join(named) or "no device"
