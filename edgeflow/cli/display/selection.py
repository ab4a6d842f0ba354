"""Which deployments a command builds: those of the targets, devices, models or rollouts given."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence

from edgeflow.config.finding import did_you_mean
from edgeflow.errors import ConfigError, Problem
from edgeflow.plan import Plan, Unit
from edgeflow.plan.steps.waves import bench

SELECTION = "EDGEFLOW_SELECTION"
"""Environment variable that carries the options of `edgeflow run` to the rules, as JSON."""
KINDS = ("target", "device", "model", "rollout")

Selection = Mapping[str, Sequence[str]]


def environment(selection: Selection) -> dict[str, str]:
    """Return what tells the rules of a selection; nothing for none."""
    given = {kind: list(names) for kind, names in selection.items() if names}
    return {SELECTION: json.dumps(given)} if given else {}


def given() -> Selection:
    """Return the selection of this process' environment."""
    found: Selection = json.loads(os.environ.get(SELECTION) or "{}")
    return found


def options(selection: Selection) -> str:
    """Return the options that make a selection."""
    return " ".join(f"--{kind} {name}" for kind in KINDS for name in selection.get(kind, ()))


def select(plan: Plan, selection: Selection) -> list[Unit]:
    """Return the deployments that are of one of the names of each kind given.

    Those of a rollout are on its bench devices.

    Raises:
        ConfigError: a name is not in the configuration, or no deployment is of all kinds.
    """
    known = {kind: getattr(plan.config, f"{kind}s") for kind in KINDS}
    problems = [
        _unknown(kind, name, known[kind])
        for kind in KINDS
        for name in selection.get(kind, ())
        if name not in known[kind]
    ]
    rollouts = [name for name in selection.get("rollout", ()) if name in plan.config.rollouts]
    tried = {(unit.device, unit.model) for name in rollouts for unit in bench(plan, name)}
    plain = {kind: names for kind, names in selection.items() if names and kind != "rollout"}
    units = [
        unit
        for unit in plan.units
        if all(getattr(unit, kind) in names for kind, names in plain.items())
        and (not selection.get("rollout") or (unit.device, unit.model) in tried)
    ]
    if not problems and not units:
        problems = [Problem(path=options(selection), message="no deployment is of all of these")]
    if problems:
        raise ConfigError(
            problems, source="the selection", hint="see what is deployed where: `edgeflow check`"
        )
    return units


def _unknown(kind: str, name: str, known: Iterable[str]) -> Problem:
    hint = did_you_mean(name, known)
    return Problem(path=f"--{kind} {name}", message=f"no such {kind}", hint=hint)
