"""A station's model on its neighbour: served there while the station is down, and given back."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeflow.cli.device.several import CONNECTIONS, Connections
from edgeflow.cli.fleet.look import Name, chosen
from edgeflow.cli.project import CONFIG, RESULTS, ConfigFile, Json, Results, load_plan, print_json
from edgeflow.cli.rollout import prepared
from edgeflow.console import say

if TYPE_CHECKING:
    from edgeflow.fleet.standby import Standby
    from edgeflow.plan import Plan

_STEP_S = 0.2
"""How long a request to end may go unnoticed between two looks."""


def failover(
    station: Annotated[str, typer.Argument(help="A device with a standby in its inventory.")],
    back: Annotated[
        bool, typer.Option("--back", help="Give it back: the station serves again.")
    ] = False,
    force: Annotated[
        bool,
        typer.Option("--force", help="Whether the station serves or not; it is not asked."),
    ] = False,
    config: ConfigFile = CONFIG,
    results: Results = RESULTS,
    as_json: Json = False,
) -> None:
    """Let a station's neighbour serve the station's model in its place, or give it back."""
    from edgeflow.fleet.standby import require_down, require_up

    plan = load_plan(config)
    standbys = [it for it in _standbys(plan, None, config, results) if it.station.name == station]
    if not standbys:
        raise typer.BadParameter(f"no rollout in {config} reaches a {station!r} with a standby")
    for standby in () if force else standbys:
        (require_up if back else require_down)(standby)
    found = []
    for standby in standbys:
        changed = standby.give_back() if back else standby.take_over()
        names = {"station": station, "neighbour": standby.neighbour, "model": standby.model.name}
        found.append({**names, "state": standby.state(), "changed": changed})
        if not as_json:
            print(_line(standby, back=back, changed=changed))
    if as_json:
        print_json(found)


def _line(standby: "Standby", *, back: bool, changed: bool) -> str:
    model, neighbour = standby.model.name, standby.neighbour
    if standby.shared:
        return f"{model}: {neighbour} serves it anyway"
    if back:
        return f"{model}: {neighbour} {'serves it no more' if changed else 'did not serve it'}"
    return f"{model}: {neighbour} {'serves it now' if changed else 'serves it already'}"


def watch(
    name: Name = None,
    failover: Annotated[
        bool, typer.Option("--failover", help="Let neighbours serve for stations that are down.")
    ] = False,
    poll_s: Annotated[float, typer.Option(min=0.0, help="Time between two looks.")] = 30.0,
    after: Annotated[int, typer.Option(min=1, help="Looks in a row that find a station down.")] = 3,
    once: Annotated[bool, typer.Option("--once", help="Look once, as from a timer.")] = False,
    config: ConfigFile = CONFIG,
    results: Results = RESULTS,
    connections: Connections = CONNECTIONS,
) -> None:
    """Watch stations that have a standby until Ctrl-C or SIGTERM; with --failover, act by itself.

    What it has begun at a device is finished first; a second Ctrl-C does not wait for that.
    """
    from edgeflow.fleet.told import told_to_end
    from edgeflow.fleet.watch import Watch

    standbys = _standbys(load_plan(config), name, config, results)
    if not standbys:
        raise typer.BadParameter("no device that rollouts reach has a standby")
    say(f"watching {len(standbys)} stations")
    seen = Watch(standbys, after=1 if once else after, failover=failover, connections=connections)
    with told_to_end() as told:
        while not told():
            for line in seen.look(lambda: not told()):
                print(line, flush=True)
            if once:
                return
            _wait(poll_s, told)


def _wait(seconds: float, told: Callable[[], bool]) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0 and not told():
        time.sleep(min(left, _STEP_S))


def _standbys(plan: "Plan", fleet: str | None, config: Path, results: Path) -> "list[Standby]":
    """Return the standbys of all rollouts to a fleet, or to any."""
    fleets = chosen(plan, fleet, config)
    return [
        standby
        for rollout, section in plan.config.rollouts.items()
        if section.fleet in fleets
        for standby in prepared(plan, rollout, results).standbys
    ]
