"""Changes of what devices have, by hand: back to a release, a model removed."""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeflow import paths
from edgeflow.cli.device.asked import Asked, Fleet, Where, chosen_to_change
from edgeflow.cli.device.several import (
    CONNECTIONS,
    Connections,
    answer_for_all,
    opened,
    opened_alone,
)
from edgeflow.cli.listing import short_sha
from edgeflow.cli.names import names_of
from edgeflow.cli.project import CONFIG, RESULTS, ConfigFile, Json, Results, load_plan
from edgeflow.console import say
from edgeflow.deploy.judged import DEPLOY_AGAIN, judged_folder, note_rollback
from edgeflow.errors import DeployError
from edgeflow.paths import NAME_PATTERN
from edgeflow.text import some

if TYPE_CHECKING:
    from edgeflow.deploy.agent_answer import Status
    from edgeflow.deploy.release import OpenDevice


def _devices_or_model(context: typer.Context, incomplete: str) -> list[str]:
    """Complete devices that are not named yet, and after the first the model too."""
    # Of one word the parser takes the model's place, as that is the last.
    named = {*(context.params.get("devices") or ()), context.params.get("model")} - {None}
    devices = [it for it in names_of("devices")(context, incomplete) if it not in named]
    return [*devices, *(names_of("models")(context, incomplete) if named else ())]


Devices = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="DEVICE",
        help="Devices of the configuration; or of --fleet, and then by default all.",
        autocompletion=_devices_or_model,
    ),
]
Model = Annotated[str, typer.Argument(help="Which model.", autocompletion=names_of("models"))]
Done = dict[str, Any]


def rollback(
    devices: Devices = None,
    *,
    model: Model,
    fleet: Fleet = None,
    where: Where = None,
    release: Annotated[
        str | None,
        typer.Option(
            metavar="SHA256",
            help="Reject this release, or nothing where another one is in use by now; "
            "its start is enough, as `device status` prints it.",
        ),
    ] = None,
    reason: Annotated[str, typer.Option(help="Written into the device's audit log.")] = "by hand",
    config: ConfigFile = CONFIG,
    results: Results = RESULTS,
    connections: Connections = CONNECTIONS,
    as_json: Json = False,
) -> None:
    """Go back to the release before; the present one is rejected, and serves no more."""
    asked = chosen_to_change(load_plan(config), devices, config, fleet, where)
    require_name(model)
    if release is not None and not re.fullmatch("[0-9a-f]{8,64}", release):
        raise typer.BadParameter(f"{release!r} is no start of a SHA-256", param_hint="--release")

    def ask(name: str) -> Done:
        from edgeflow.deploy.release import held

        section = asked[name].section
        with opened(name, section) as device:
            # Before the wait for others who are at work there: what they bring, nobody has seen.
            seen = device.status(model)
            with held(name, section.run_timeout_s):
                done = _roll_back(device, model, seen, release, reason, asked[name].option)
        if folder := _judged(asked[name], results, name, model):
            note_rollback(folder, str(done["rejected_sha256"]), reason)
        return done

    def show(found: Mapping[str, Done]) -> None:
        for name, it in found.items():
            print(f"{name}: {model}: {_back(it)}")
            if folder := _judged(asked[name], results, name, model):
                say(f"hint: builds leave it so; to deploy it again, {DEPLOY_AGAIN.format(folder)}")
        for again in dict.fromkeys(asked[name].deploy for name in found if asked[name].fleet):
            say(f"hint: the next `{again}` brings there what is built by then, be it the same")

    answer_for_all(asked, ask, show, connections=connections, as_json=as_json)


def _judged(asked: Asked, results: Path, name: str, model: str) -> Path | None:
    """Return the folder by which builds take a model for deployed; rollouts have none."""
    return None if asked.fleet else judged_folder(results, name, model)


def _roll_back(
    device: "OpenDevice",
    model: str,
    seen: "Status",
    release: str | None,
    reason: str,
    option: str,
) -> Done:
    """Reject what was current; refuse where nothing would serve afterwards.

    Args:
        option: what a command takes behind the device's name.
        seen: what the device had when it was asked to.
        release: start of the digest of the one that is meant; None is what was current then.

    Raises:
        DeployError: the model has no current release, or none before it, or another one by now.
    """
    from edgeflow.deploy.agent import Refusal

    name, current = device.endpoint.name, seen.current
    if current is None:
        raise DeployError(
            f"no release of {model} is in use on device {name}",
            hint=f"see what is there: edgeflow device models {name}{option}",
        )
    if not current.startswith(release or ""):
        if done := [sha for sha in seen.rejected if sha.startswith(str(release))]:
            return {"rejected_sha256": done[0], "current_sha256": current, "changed": False}
        raise _another(device, model, str(release), current, option)
    if seen.previous is None:
        raise DeployError(
            f"device {name} has no release of {model} before {current[:12]} to go back to",
            hint="deploy another one; or stop whatever runs the model there",
        )
    try:
        rejection = device.reject(model, current, reason, if_current=True)
    except Refusal as refusal:
        if refusal.kind != "refused":
            raise
        now = device.status(model).current
        raise _another(device, model, current, now, option) from refusal
    return {"rejected_sha256": current, "current_sha256": rejection.current, "changed": True}


def _another(
    device: "OpenDevice", model: str, meant: str, current: str | None, option: str
) -> DeployError:
    name = device.endpoint.name + option
    uses = f"release {current[:12]}" if current else "no release"
    again = f"; to reject that one: edgeflow device rollback {name} {model} --release "
    return DeployError(
        f"device {device.endpoint.name} now uses {uses} of {model}, not {meant[:12]}: nothing was "
        "rolled back",
        hint=f"look at it: edgeflow device status {name}{again + current[:12] if current else ''}",
    )


def _back(done: Done) -> str:
    current = done["current_sha256"]
    serves = f"serves {short_sha(current)}" if current else "serves none: none before it is whole"
    rejected = "rejected" if done["changed"] else "nothing to do, had rejected"
    return f"{rejected} {short_sha(done['rejected_sha256'])}; {serves}"


def remove(
    devices: Devices = None,
    *,
    model: Model,
    fleet: Fleet = None,
    where: Where = None,
    config: ConfigFile = CONFIG,
    results: Results = RESULTS,
    connections: Connections = CONNECTIONS,
    as_json: Json = False,
) -> None:
    """Remove a model that the configuration no longer deploys there, with all its releases."""
    plan = load_plan(config)
    asked = chosen_to_change(plan, devices, config, fleet, where)
    require_name(model)
    used = [name for name, it in asked.items() if it.has(model)]
    _require_unused(used, model, config, "rollouts" if fleet else "deployments")

    def ask(name: str) -> dict[str, str]:
        _remove(name, asked[name], model, results)
        return {"removed": model}

    def show(found: Mapping[str, Mapping[str, str]]) -> None:
        for name in found:
            print(f"{name}: {model}: removed")

    answer_for_all(asked, ask, show, connections=connections, as_json=as_json)


def _remove(name: str, asked: Asked, model: str, results: Path) -> None:
    """Remove a model from a device, and what says here that it is there: a build believes that."""
    with opened_alone(name, asked.section) as device:
        was_there = _forget(device, model)
    folder = results / paths.DEVICE.format(device=name, model=model)
    if asked.fleet is None and folder.is_dir():
        shutil.rmtree(folder)
    if not was_there:
        raise DeployError(
            f"there is no model {model} to remove",
            hint=f"see what is there: edgeflow device models {name}{asked.option}",
        )


def _forget(device: "OpenDevice", model: str) -> bool:
    """Remove a model from a device; return whether it was there."""
    from edgeflow.deploy.agent import Refusal
    from edgeflow.deploy.service import stop

    try:
        stop(device, model)
        device.forget(model)
    except Refusal as refusal:
        if refusal.kind != "absent":
            raise
        return False
    return True


def require_name(model: str) -> None:
    """Refuse what is no name: it becomes part of a path on the device."""
    if not re.fullmatch(NAME_PATTERN, model):
        raise typer.BadParameter(f"{model!r} is no name of a model")


def _require_unused(used: list[str], model: str, config: Path, section: str) -> None:
    if used:
        raise typer.BadParameter(
            f"{config} deploys {model!r} to {some(used)}: take that out of `{section}` first"
        )
