"""Changes of what devices have, by hand: back to a release, a model removed."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeflow.cli.device.several import (
    CONNECTIONS,
    Connections,
    ask_all,
    chosen,
    leave,
    with_errors,
)
from edgeflow.cli.names import names_of
from edgeflow.cli.project import CONFIG, ConfigFile, Json, load_plan, print_json
from edgeflow.config.base import NAME_PATTERN
from edgeflow.errors import DeployError

if TYPE_CHECKING:
    from edgeflow.deploy.release import OpenDevice
    from edgeflow.plan import Plan

Devices = Annotated[
    list[str],
    typer.Argument(metavar="DEVICE...", help="Where.", autocompletion=names_of("devices")),
]
Model = Annotated[str, typer.Argument(help="Which model.", autocompletion=names_of("models"))]


def rollback(
    devices: Devices,
    model: Model,
    reason: Annotated[str, typer.Option(help="Written into the device's audit log.")] = "by hand",
    config: ConfigFile = CONFIG,
    connections: Connections = CONNECTIONS,
    as_json: Json = False,
) -> None:
    """Go back to the release before; the present one is rejected, and serves no more."""
    plan = load_plan(config)
    names = chosen(plan, devices, config)
    _require_name(model)

    def ask(name: str) -> dict[str, Any]:
        from edgeflow.deploy.release import open_device

        with open_device(plan.job("deploy", device=name).slice) as device:
            return _roll_back(device, model, reason)

    found, failed = ask_all(names, ask, connections)
    if as_json:
        print_json(with_errors(found, failed))
        leave(failed, said=True)
    for name, it in found.items():
        print(f"{name}: {model}: {_back(it)}")
    leave(failed)


def _roll_back(device: "OpenDevice", model: str, reason: str) -> dict[str, Any]:
    """Reject what is current; refuse where nothing would serve afterwards.

    Raises:
        DeployError: the model has no current release, or none before it.
    """
    before = device.status(model)
    if before.current is None:
        raise DeployError(
            f"no release of {model} is in use on device {device.endpoint.name}",
            hint="see what is there: edgeflow device models",
        )
    if before.previous is None:
        raise DeployError(
            f"device {device.endpoint.name} has no release of {model} before "
            f"{before.current[:12]} to go back to",
            hint="deploy another one; or stop whatever runs the model there",
        )
    rejection = device.reject(model, before.current, reason)
    return {"rejected_sha256": before.current, "current_sha256": rejection.current}


def _back(done: dict[str, Any]) -> str:
    current, rejected = done["current_sha256"], done["rejected_sha256"][:12]
    serves = f"serves {current[:12]}" if current else "serves none, as none before it is whole"
    return f"rejected {rejected}; {serves}"


def remove(
    devices: Devices,
    model: Model,
    config: ConfigFile = CONFIG,
    connections: Connections = CONNECTIONS,
    as_json: Json = False,
) -> None:
    """Remove a model that the configuration no longer deploys there, with all its releases."""
    plan = load_plan(config)
    names = chosen(plan, devices, config)
    _require_name(model)
    _require_unused(plan, set(names), model, config)

    def ask(name: str) -> dict[str, Any]:
        from edgeflow.deploy.release import open_device

        with open_device(plan.job("deploy", device=name).slice) as device:
            device.forget(model)
        return {"removed": model}

    found, failed = ask_all(names, ask, connections)
    if as_json:
        print_json(with_errors(found, failed))
        leave(failed, said=True)
    for name in found:
        print(f"{name}: {model}: removed")
    leave(failed)


def _require_name(model: str) -> None:
    """Refuse what is no name: it becomes part of a path on the device."""
    if not re.fullmatch(NAME_PATTERN, model):
        raise typer.BadParameter(f"{model!r} is no name of a model")


def _require_unused(plan: "Plan", devices: set[str], model: str, config: Path) -> None:
    used = [unit.device for unit in plan.units if unit.model == model and unit.device in devices]
    if used:
        raise typer.BadParameter(f"{config} deploys {model!r} to {', '.join(used)}")
