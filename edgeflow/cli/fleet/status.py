"""`edgeflow fleet status`: what devices serve of what rollouts brought them."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeflow.cli.device.several import CONNECTIONS, Connections, answer_for_all
from edgeflow.cli.fleet.look import Name, chosen
from edgeflow.cli.listing import print_columns, short_sha
from edgeflow.cli.project import CONFIG, RESULTS, ConfigFile, Json, Results, load_plan
from edgeflow.cli.rollout import prepared, status_of

if TYPE_CHECKING:
    from edgeflow.fleet.prepare import Prepared
    from edgeflow.fleet.unit import Seen, Unit
    from edgeflow.plan import Plan

Asked = dict[str, "dict[str, Unit]"]
"""For each device, its part in each rollout."""


def status(
    name: Name = None,
    config: ConfigFile = CONFIG,
    results: Results = RESULTS,
    connections: Connections = CONNECTIONS,
    as_json: Json = False,
) -> None:
    """Ask fleets what they serve; say where that is not what rollouts brought there, or is ill."""
    plan = load_plan(config)
    fleets = chosen(plan, name, config)
    ready = _prepared(plan, fleets, results)
    outcomes = {
        rollout: {it["device"]: it["result"] for it in status_of(one, results)["devices"]}
        for rollout, one in ready.items()
    }
    units: Asked = {}
    for rollout, one in ready.items():
        fleet = plan.config.rollouts[rollout].fleet
        for unit in one.units:
            units.setdefault(f"{fleet}/{unit.name}", {})[rollout] = unit

    def ask(device: str) -> dict[str, Any]:
        return {
            rollout: {
                "model": ready[rollout].models[unit.name].name,
                "outcome": outcomes[rollout][unit.name],
                **_judged(unit.look(), unit.sha256),
            }
            for rollout, unit in units[device].items()
        }

    answer_for_all(units, ask, _show, connections=connections, as_json=as_json)


def _prepared(plan: "Plan", fleets: Mapping[str, Any], results: Path) -> "dict[str, Prepared]":
    rollouts = plan.config.rollouts
    return {
        rollout: prepared(plan, rollout, results)
        for rollout, section in rollouts.items()
        if section.fleet in fleets
    }


def _judged(seen: "Seen", planned: str) -> dict[str, Any]:
    return {
        "current_sha256": seen.current,
        "planned_sha256": planned,
        "as_planned": seen.serves(planned),
        "state": _state(seen, planned),
    }


def _state(seen: "Seen", planned: str) -> str:
    """Say how what a device serves compares with what its rollout brings."""
    if seen.fault:
        return seen.fault
    if seen.current is None:
        return "serves none"
    if seen.current != planned:
        return "drifted: serves another release"
    return "as planned" if seen.confirmed else "on trial"


def _show(found: Mapping[str, Mapping[str, Any]]) -> None:
    rows = [
        (
            device,
            rollout,
            it["model"],
            short_sha(it["current_sha256"]),
            short_sha(it["planned_sha256"]),
            it["outcome"].replace("_", " "),
            it["state"],
        )
        for device, served in found.items()
        for rollout, it in served.items()
    ]
    header = ("device", "rollout", "model", "current", "planned", "rollout said", "state")
    print_columns(header, rows)
    as_planned = sum(it["as_planned"] for served in found.values() for it in served.values())
    print(f"{as_planned} of {len(rows)} serve what was planned")
