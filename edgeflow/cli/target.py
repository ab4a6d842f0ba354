"""`edgeflow target`: the kinds of targets, what they take, and what is missing here to use them."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeflow.cli.names import names_of, raw_section
from edgeflow.cli.project import CONFIG, ConfigFile, Json, load_plan, print_json
from edgeflow.cli.toolchains import look
from edgeflow.config.finding import did_you_mean
from edgeflow.errors import EdgeflowError
from edgeflow.paths import workflow_folder

if TYPE_CHECKING:
    from pydantic import BaseModel

    from edgeflow.targets.base import Target

app = typer.Typer(help="Look at the kinds of targets and their options.", no_args_is_help=True)


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List the kinds of targets, what they take, and what is missing here to use them."""
    from edgeflow.targets import registry

    found = [_kind(name) for name in registry.names()]
    if as_json:
        print_json(found)
        return
    for it in found:
        if "error" in it:
            print(f"{it['kind']}: {it['error']}")
        else:
            print(f"{it['kind']}: {', '.join(it['quantize'])}: {_state(it)}")
            for line in _figures(it):
                print(f"  {line}")


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
    """Show a target's options, recipes and figures, and its devices if it is configured."""
    from edgeflow.targets import registry

    own = _configured(name, config)
    kind = own["options"]["kind"] if own else name
    if kind not in registry.names():
        meant = did_you_mean(name, [*raw_section(config, "targets"), *registry.names()])
        raise typer.BadParameter(f"no target {name!r} in {config}, and no such kind; {meant}")
    target = registry.get(kind)
    said = {**_described(target), **(own or {})}
    if as_json:
        print_json(said)
        return
    for line in _lines(name, said):
        print(line)


def _configured(name: str, config: Path) -> dict[str, Any] | None:
    """Return the target of that name in a configuration, if there are both."""
    if not config.is_file():
        return None
    plan = load_plan(config)
    if name not in plan.config.targets:
        return None
    devices = [key for key, it in plan.config.devices.items() if it.target == name]
    return {"options": plan.config.targets[name].model_dump(mode="json"), "devices": devices}


def _kind(name: str) -> dict[str, Any]:
    from edgeflow.targets import registry

    try:
        return _described(registry.get(name))
    except EdgeflowError as error:
        return {"kind": name, "error": str(error)}


def _described(target: "type[Target]") -> dict[str, Any]:
    """Return what a kind of target says of itself, and what is missing here to use it."""
    from edgeflow.targets.base import own_figures

    schema = target.Options.model_json_schema()
    needed, missing = _missing(target)
    lock = workflow_folder() / "envs" / f"{target.name}-device.txt"
    figures = [
        {"name": it.name, "meaning": it.meaning, "kind": it.kind, "gate": it.gate}
        for it in own_figures(target)
    ]
    return {
        "kind": target.name,
        "quantize": sorted(target.capabilities.quantize),
        "options": {
            key: it.get("default") for key, it in schema["properties"].items() if key != "kind"
        },
        "meanings": {key: it.get("description", "") for key, it in schema["properties"].items()},
        "needed_options": needed,
        "missing": missing,
        "figures": figures,
        "device_lock": str(lock) if lock.is_file() else None,
    }


def _missing(target: "type[Target]") -> tuple[list[str], list[str]]:
    """Return the options that must be given, and what a target with the others lacks here."""
    from pydantic import ValidationError

    from edgeflow.config.target import toolchain_of

    try:
        options: BaseModel = target.Options.model_validate({"kind": target.name})
    except ValidationError as error:
        return sorted(".".join(map(str, entry["loc"])) for entry in error.errors()), []
    missing = [f"needs {item.what}: {item.install}" for item in target.check(options)]
    try:
        look(toolchain_of(target, options), None)
    except EdgeflowError as error:
        missing.append(f"{error.message}: {error.hint}")
    return [], missing


def _state(said: Mapping[str, Any]) -> str:
    if said["needed_options"]:
        return f"needs options: {', '.join(said['needed_options'])}"
    return "; ".join(said["missing"]) or "ready"


def _lines(name: str, said: Mapping[str, Any]) -> Iterator[str]:
    yield f"{name}: {_state(said)}" if name == said["kind"] else f"{name}: of kind {said['kind']}"
    if "devices" in said:
        yield f"devices: {', '.join(said['devices']) or 'none'}"
    yield f"quantize: {', '.join(said['quantize'])}"
    if said["device_lock"]:
        yield f"packages of a device, for pip: {said['device_lock']}"
    yield "options:"
    for key, value in said["options"].items():
        if key != "kind":
            meaning = said["meanings"].get(key, "")
            yield f"  {key}: {'needed' if key in said['needed_options'] else value}  # {meaning}"
    yield from (f"figure {line}" for line in _figures(said))


def _figures(said: Mapping[str, Any]) -> Iterator[str]:
    for it in said["figures"]:
        gate = f"; gate {it['gate']}" if it["gate"] else ""
        yield f"{it['name']}: {it['meaning']} ({it['kind']}{gate})"
