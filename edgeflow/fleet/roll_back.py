"""A rollout that turned out bad: its devices go back to what they served before it."""

from collections.abc import Callable, Sequence
from pathlib import Path

from edgeflow.console import say
from edgeflow.errors import EdgeflowError
from edgeflow.fleet.outcome import Outcome
from edgeflow.fleet.pool import for_each
from edgeflow.fleet.spec import RolloutSpec
from edgeflow.fleet.state import State
from edgeflow.fleet.unit import Unit
from edgeflow.fleet.waves import waves_of


def roll_back(
    spec: RolloutSpec,
    units: Sequence[Unit],
    state: Path,
    reason: str,
    may_proceed: Callable[[], bool],
) -> tuple[list[str], dict[str, EdgeflowError]]:
    """Let devices that serve the bundle go back to what they served before.

    All are asked: one whose confirmation was not noted may serve it too.

    Args:
        units: in the order in which they were reached.
        reason: for the devices' audit logs, and for people.
        may_proceed: asked before each device.

    Returns:
        Names of the devices that went back, and why others gave no answer or could not.

    Raises:
        RolloutError: the rollout still runs.
    """
    waves = waves_of(spec.waves, units)
    back: list[str] = []
    failed: dict[str, EdgeflowError] = {}
    with State(state, spec, units) as held:

        def ask(unit: Unit) -> None:
            try:
                went = unit.go_back(reason)
            except EdgeflowError as error:
                failed[unit.name] = error
                return
            if went:
                back.append(unit.name)
                outcome = Outcome(result="rolled_back", detail=f"taken back: {reason}")
                held.settle(unit, waves[unit.name], outcome)
                say(f"rollout {spec.name}: {unit.name} went back")

        for_each(units, ask, spec.connections, may_proceed)
    # In the order of the units, so that the same failures end a command with the same exit code.
    return back, {unit.name: failed[unit.name] for unit in units if unit.name in failed}
