"""`edgeflow fleet status`: what devices serve of what rollouts brought them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeflow.cli.device.several import CONNECTIONS, Connections, Failures, ask_all, end
from edgeflow.cli.fleet.look import Name, chosen
from edgeflow.cli.listing import print_columns, short_sha
from edgeflow.cli.project import CONFIG, RESULTS, ConfigFile, Json, Results, load_plan, print_json
from edgeflow.cli.rollout import prepared, status_of
from edgeflow.errors import EdgeflowError, UnreachableError

if TYPE_CHECKING:
    from edgeflow.fleet.standby import Standby
    from edgeflow.fleet.unit import Seen, Unit
    from edgeflow.plan import Plan


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A device's part in a rollout.

    Attributes:
        model: which of the rollout's models it gets.
        outcome: what the rollout says of it.
        standby: the neighbour on which the model lies too, if there is one.
    """

    unit: "Unit"
    model: str
    outcome: str
    standby: "Standby | None"

    def record(self, seen: "Seen | EdgeflowError") -> dict[str, Any]:
        """Return what the device says, or why it does not, beside what was planned."""
        said = (
            {"state": _silence(seen), "error": str(seen), "exit_code": seen.exit_code}
            if isinstance(seen, EdgeflowError)
            else {"state": self._state(seen)}
        )
        current = None if isinstance(seen, EdgeflowError) else seen
        return {
            "model": self.model,
            "outcome": self.outcome,
            "current_sha256": current and current.current,
            "planned_sha256": self.unit.sha256,
            "as_planned": current is not None and current.serves(self.unit.sha256),
            **said,
            **({"standby": _of_standby(self.standby)} if self.standby else {}),
        }

    def _state(self, seen: "Seen") -> str:
        """Say how what a device serves compares with what its rollout brings."""
        if seen.fault:
            return seen.fault
        if seen.current == self.unit.sha256:
            return "as planned" if seen.confirmed else "on trial"
        serves = "serves another release" if seen.current else "serves none"
        return f"drifted: {serves}" if self.outcome == "confirmed" else serves


Parts = dict[str, dict[str, Part]]
"""For each device, its part in each rollout."""


def status(
    name: Name = None,
    config: ConfigFile = CONFIG,
    results: Results = RESULTS,
    connections: Connections = CONNECTIONS,
    as_json: Json = False,
) -> None:
    """Ask fleets what they serve; say where that is not what rollouts brought there, or is ill.

    Where a station has a standby, its neighbour is asked too whether it serves in its place.
    """
    plan = load_plan(config)
    parts = _parts(plan, chosen(plan, name, config), results)

    failed: Failures = {}

    def ask(device: str) -> dict[str, Any]:
        seen: dict[str, Seen | EdgeflowError]
        try:
            seen = {rollout: part.unit.look() for rollout, part in parts[device].items()}
        except EdgeflowError as error:  # of the device, whatever the rollout
            failed[device] = error
            seen = dict.fromkeys(parts[device], error)
        return {rollout: part.record(seen[rollout]) for rollout, part in parts[device].items()}

    found, _ = ask_all(parts, ask, connections)
    if as_json:
        print_json(found)
    else:
        _show(found)
    end({name: failed[name] for name in parts if name in failed}, quiet=as_json)


def _parts(plan: "Plan", fleets: Mapping[str, Any], results: Path) -> Parts:
    """Return what each device that rollouts reach has to do with them."""
    found: Parts = {}
    for rollout, section in plan.config.rollouts.items():
        if section.fleet not in fleets:
            continue
        ready = prepared(plan, rollout, results)
        outcomes = {it["device"]: it["result"] for it in status_of(ready, results)["devices"]}
        standbys = {it.station.name: it for it in ready.standbys}
        for unit in ready.units:
            found.setdefault(f"{section.fleet}/{unit.name}", {})[rollout] = Part(
                unit=unit,
                model=ready.models[unit.name].name,
                outcome=outcomes[unit.name],
                standby=standbys.get(unit.name),
            )
    return found


def _silence(error: EdgeflowError) -> str:
    return "does not answer" if isinstance(error, UnreachableError) else "gives no answer"


def _of_standby(standby: "Standby") -> dict[str, str]:
    """Return which neighbour stands by, and whether it serves; it may be silent too."""
    try:
        state: str = standby.state()
    except EdgeflowError as error:
        state = _silence(error)
    return {"neighbour": standby.neighbour, "state": state}


def _show(found: Mapping[str, Mapping[str, Any]]) -> None:
    rows = [
        (
            device,
            rollout,
            it["model"],
            short_sha(it["current_sha256"]),
            short_sha(it["planned_sha256"]),
            it["outcome"].replace("_", " "),
            it["state"] + _in_its_place(it),
        )
        for device, served in found.items()
        for rollout, it in served.items()
    ]
    header = ("device", "rollout", "model", "current", "planned", "rollout said", "state")
    print_columns(header, rows)
    records = [it for served in found.values() for it in served.values()]
    as_planned = sum(it["as_planned"] for it in records)
    silent = sum("error" in it for it in records)
    drifted = sum(it["state"].startswith("drifted") for it in records)
    taken = sum(bool(_in_its_place(it)) for it in records)
    more = [
        f"{count} {what}"
        for count, what in (
            (drifted, "drifted"),
            (silent, "did not answer"),
            (taken, "served by a neighbour"),
        )
        if count
    ]
    print(", ".join([f"{as_planned} of {len(rows)} serve what was planned", *more]))


def _in_its_place(record: Mapping[str, Any]) -> str:
    """Say of a station whose neighbour serves its model that it does."""
    standby = record.get("standby", {})
    if standby.get("state") != "serving":
        return ""
    return f"; {standby['neighbour']} serves in its place"
