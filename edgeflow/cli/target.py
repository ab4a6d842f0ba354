"""`edgeflow target`: the kinds of targets, what they take, and what is missing here to use them."""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeflow.cli.choices import Needs, choices_of, needs_of, required, state_of
from edgeflow.cli.listing import print_columns
from edgeflow.cli.names import names_of, raw_section
from edgeflow.cli.needs import needs_with
from edgeflow.cli.project import CONFIG, ConfigFile, Json, load_plan, print_json
from edgeflow.cli.target_text import HEADER, lines, missing, row
from edgeflow.config.finding import did_you_mean
from edgeflow.errors import EdgeflowError
from edgeflow.paths import workflow_folder

if TYPE_CHECKING:
    from pydantic import BaseModel

    from edgeflow.targets.base import Target

app = typer.Typer()


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List the kinds of targets, what is installed for them, and what is missing here."""
    from edgeflow.targets import registry

    with ThreadPoolExecutor() as pool:  # most of the time goes to programs that say their version
        found = list(pool.map(_kind, registry.names()))
    if as_json:
        print_json(found)
        return
    print_columns(HEADER, [row(said) for said in found])
    for said in found:
        for line in missing(said):
            print(f"{said['kind']}: {line}")


@app.command()
def show(
    name: Annotated[
        str,
        typer.Argument(
            help="A target of the configuration, or a kind.", autocompletion=names_of("targets")
        ),
    ],
    config: ConfigFile = CONFIG,
    as_json: Json = False,
) -> None:
    """Show a target's options, tools, recipes and figures, and its devices if it is configured."""
    from edgeflow.targets import registry

    options, devices = _configured(name, config)
    kind = getattr(options, "kind", name)
    if kind not in registry.names():
        meant = did_you_mean(name, [*raw_section(config, "targets"), *registry.names()])
        raise typer.BadParameter(f"no target {name!r} in {config}, and no such kind; {meant}")
    said = _described(registry.get(kind), options)
    said = {**said, "devices": devices} if options else said
    if as_json:
        print_json(said)
        return
    for line in lines(name, said):
        print(line)


def _configured(name: str, config: Path) -> "tuple[BaseModel | None, list[str]]":
    """Return the options of the target of that name in a configuration, and its devices."""
    if not config.is_file():
        return None, []
    plan = load_plan(config)
    options = plan.config.targets.get(name)
    return options, [key for key, it in plan.config.devices.items() if it.target == name]


def _kind(name: str) -> dict[str, Any]:
    from edgeflow.targets import registry

    try:
        return _described(registry.get(name))
    except EdgeflowError as error:
        return {"kind": name, "error": str(error)}


def _described(target: "type[Target]", options: "BaseModel | None" = None) -> dict[str, Any]:
    """Return what a kind of target says of itself, and what it needs here, with given options."""
    from edgeflow.config.target import capabilities_of
    from edgeflow.targets.base import own_figures

    schema = target.Options.model_json_schema()
    properties = {key: it for key, it in schema["properties"].items() if key != "kind"}
    lock = workflow_folder() / "envs" / f"{target.name}-device.txt"
    figures = [
        {"name": it.name, "meaning": it.meaning, "kind": it.kind, "gate": it.gate}
        for it in own_figures(target)
    ]
    return {
        "kind": target.name,
        "quantize": sorted(capabilities_of(target, options).quantize),
        "options": options.model_dump(mode="json") if options else _defaults(properties),
        "meanings": {key: it.get("description", "") for key, it in properties.items()},
        "choices": choices_of(target),
        "needed_options": required(target),
        **_needs(_with(target, options) if options else needs_of(target)),
        "figures": figures,
        "device_lock": str(lock) if lock.is_file() else None,
    }


def _defaults(properties: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {key: it.get("default") for key, it in properties.items()}


def _with(target: "type[Target]", options: "BaseModel") -> Needs:
    needs = tuple(needs_with(target, options))
    return Needs(needs=needs, state=state_of([needs]))


def _needs(found: Needs) -> dict[str, Any]:
    records: Iterable[dict[str, Any]] = [need.record() for need in found.needs]
    return {"state": found.state, "needs": list(records), "missing": found.missing()}
