"""Which devices a fleet has. None of them is asked."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeflow.cli.listing import print_columns
from edgeflow.cli.names import names_of
from edgeflow.cli.project import CONFIG, ConfigFile, Json, load_plan, print_json
from edgeflow.config.finding import did_you_mean

if TYPE_CHECKING:
    from edgeflow.fleet.inventory import Row
    from edgeflow.plan import Plan

Name = Annotated[
    str | None,
    typer.Argument(help="A fleet; by default all.", autocompletion=names_of("fleets")),
]


def chosen(plan: "Plan", name: str | None, config: Path) -> dict[str, Any]:
    """Return the section of the fleet of that name, or those of all."""
    known = plan.config.fleets
    if name is not None and name not in known:
        raise typer.BadParameter(f"no fleet {name!r} in {config}; {did_you_mean(name, known)}")
    return {name: known[name]} if name is not None else dict(known)


def list_(name: Name = None, config: ConfigFile = CONFIG, as_json: Json = False) -> None:
    """List the devices of fleets; none of them is asked."""
    from edgeflow.fleet.inventory import inventories

    fleets = chosen(load_plan(config), name, config)
    found = [(fleet, row) for fleet, rows in inventories(fleets).items() for row in rows]
    if as_json:
        print_json([_record(fleet, row, fleets[fleet].target) for fleet, row in found])
        return
    header = ("fleet", "device", "host", "variant", "standby", "labels")
    print_columns(
        header,
        [
            (
                fleet,
                row.name,
                f"{row.host}:{row.port}" if row.host else "virtual",
                row.variant or "",
                row.standby or "",
                " ".join(f"{key}={value}" for key, value in row.labels.items()),
            )
            for fleet, row in found
        ],
    )


def _record(fleet: str, row: "Row", target: str) -> dict[str, Any]:
    reached = {key: getattr(row, key) for key in ("host", "port", "user")} if row.host else {}
    return {
        "fleet": fleet,
        "device": row.name,
        "target": target,
        **reached,
        "variant": row.variant,
        "standby": row.standby,
        "labels": dict(row.labels),
    }
