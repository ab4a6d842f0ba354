"""What an earlier run of a rollout confirmed, asked again before the next one."""

from collections.abc import Callable, Sequence
from pathlib import Path

from edgeflow.console import say
from edgeflow.errors import EdgeflowError
from edgeflow.fleet.campaign import lapsed
from edgeflow.fleet.pool import for_each
from edgeflow.fleet.spec import RolloutSpec
from edgeflow.fleet.state import State
from edgeflow.fleet.unit import Unit
from edgeflow.fleet.waves import waves_of


def recall(
    spec: RolloutSpec, units: Sequence[Unit], state: Path, may_proceed: Callable[[], bool]
) -> None:
    """Note of devices that were confirmed which ones serve the bundle no longer.

    One that does not answer stays confirmed: nothing says that it serves another one.

    Args:
        units: in the order in which they are reached.
        state: the rollout's state; nothing is done where there is none.
        may_proceed: asked before each device.
    """
    if not state.is_file():
        return
    wave = waves_of(spec.waves, units)
    with State(state, spec, units) as held:
        if held.changes:
            say(f"rollout {spec.name}: {held.changes}")

        def ask(unit: Unit) -> None:
            try:
                seen = unit.look()
            except EdgeflowError:
                return
            if not seen.serves(unit.sha256):
                held.settle(unit, wave[unit.name], lapsed(unit, seen))

        outcomes = [(unit, held.progress.outcome(unit)) for unit in units]
        confirmed = [unit for unit, it in outcomes if it and it.result == "confirmed"]
        for_each(confirmed, ask, spec.connections, may_proceed)
