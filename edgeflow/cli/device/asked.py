"""Which devices a command asks: those of the configuration, or rows of a fleet's inventory."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeflow.cli.names import names_of
from edgeflow.config.finding import did_you_mean
from edgeflow.console import say

if TYPE_CHECKING:
    from edgeflow.fleet.inventory import Row
    from edgeflow.plan import Plan

Devices = Annotated[
    list[str] | None,
    typer.Argument(help="Which devices; by default all.", autocompletion=names_of("devices")),
]
Fleet = Annotated[
    str | None,
    typer.Option(
        "--fleet",
        help="Ask devices of this fleet, instead of those of the configuration.",
        autocompletion=names_of("fleets"),
    ),
]
Where = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        metavar="LABEL=VALUE",
        help="Those of the fleet with this label alone; of one label any of the values given.",
    ),
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A device that a command asks.

    Attributes:
        section: as the configuration has, or would have it.
        models: those that are deployed or rolled out to it, each with its recipe.
        standbys: those of neighbours, which lie there to serve in their place.
        fleet: whose row it is; None for a device of the configuration.
        deploy: the command that deploys to it.
    """

    section: Any
    models: Mapping[str, str] = field(default_factory=dict)
    standbys: frozenset[str] = frozenset()
    fleet: str | None = None
    deploy: str = "edgeflow run"

    def has(self, model: str) -> bool:
        """Tell whether a model is to lie there."""
        return model in self.models or model in self.standbys

    @property
    def option(self) -> str:
        """What a command takes behind its name."""
        return f" --fleet {self.fleet}" if self.fleet else ""


def chosen(
    plan: "Plan",
    names: Sequence[str] | None,
    config: Path,
    fleet: str | None = None,
    where: Sequence[str] | None = None,
) -> dict[str, Asked]:
    """Return devices by name, each once: those named, or all there are.

    Args:
        names: of devices of the configuration, or of the fleet.
        fleet: name of a fleet; None for the devices of the configuration.
        where: labels that devices of the fleet have, each as ``label=value``.

    Raises:
        ConfigError: the inventory cannot be used.
        typer.BadParameter: there is no such device, or none at all.
    """
    if where and fleet is None:
        raise typer.BadParameter("it selects devices of a --fleet", param_hint="--where")
    known = _of_config(plan) if fleet is None else _of_fleet(plan, fleet, where or (), config)
    place = f"fleet {fleet}" if fleet else str(config)
    for name in names or ():
        if name not in known:
            having = f" with {', '.join(where)}" if where else ""
            meant = did_you_mean(name, known)
            raise typer.BadParameter(f"no device {name!r}{having} in {place}; {meant}")
    if not known:
        having = f" with {' and '.join(where)}" if where else ""
        raise typer.BadParameter(f"no device{having} in {place}")
    return {name: known[name] for name in names or known}


def chosen_to_change(
    plan: "Plan",
    names: Sequence[str] | None,
    config: Path,
    fleet: str | None,
    where: Sequence[str] | None,
) -> dict[str, Asked]:
    """Return devices as `chosen` does; not all of the configuration because none was named.

    Raises:
        ConfigError: the inventory cannot be used.
        typer.BadParameter: no device and no fleet is named, or there is no such device.
    """
    if not names and fleet is None:
        raise typer.BadParameter("name the devices that it is to change, or a --fleet")
    return chosen(plan, names, config, fleet, where)


def say_without(asked: Mapping[str, Asked]) -> None:
    """Say of each device without deployments that there is nothing to tell of it."""
    for name, it in asked.items():
        if not it.models:
            by = "no rollout reaches it" if it.fleet else "no deployment names it"
            say(f"{name}: {by}")


def _of_config(plan: "Plan") -> dict[str, Asked]:
    models: dict[str, dict[str, str]] = {name: {} for name in plan.config.devices}
    for unit in plan.deployed:
        models[unit.device][unit.model] = unit.recipe
    return {
        name: Asked(section=section, models=models[name])
        for name, section in plan.config.devices.items()
    }


def _of_fleet(plan: "Plan", fleet: str, where: Iterable[str], config: Path) -> dict[str, Asked]:
    from edgeflow.fleet.inventory import device_of, inventories, labelled

    known = plan.config.fleets
    if fleet not in known:
        raise typer.BadParameter(f"no fleet {fleet!r} in {config}; {did_you_mean(fleet, known)}")
    section = known[fleet]
    rows = inventories({fleet: section})[fleet]
    models: dict[str, dict[str, str]] = {row.name: {} for row in rows}
    deploys: dict[str, str] = {}
    standbys: dict[str | None, set[str]] = {}
    for rollout, row, model, recipe in _rolled_out(plan, fleet, rows):
        models[row.name][model], deploys[row.name] = recipe, f"edgeflow rollout {rollout}"
        standbys.setdefault(row.standby, set()).add(model)
    return {
        row.name: Asked(
            section=device_of(section, row).in_fleet(fleet),
            models=models[row.name],
            standbys=frozenset(standbys.get(row.name, ())),
            fleet=fleet,
            deploy=deploys.get(row.name, "edgeflow rollout NAME"),
        )
        for row in labelled(rows, _labels(where))
    }


def _rolled_out(
    plan: "Plan", fleet: str, rows: "list[Row]"
) -> "Iterator[tuple[str, Row, str, str]]":
    """Yield rollout, device, model and recipe of all that rollouts bring to a fleet."""
    from edgeflow.fleet.inventory import selected

    for name, rollout in plan.config.rollouts.items():
        if rollout.fleet != fleet:
            continue
        for row in selected(rows, rollout):
            if (model := rollout.model_for(row.variant)) is not None:
                yield name, row, model, rollout.recipe


def _labels(where: Iterable[str]) -> dict[str, set[str]]:
    wanted: dict[str, set[str]] = {}
    for text in where:
        label, equals, value = text.partition("=")
        if not (label and equals):
            raise typer.BadParameter(f"{text!r} is not LABEL=VALUE", param_hint="--where")
        wanted.setdefault(label, set()).add(value)
    return wanted
