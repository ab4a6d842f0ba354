"""`edgeflow device serve`: starts, stops and asks the service of a model on devices."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from edgeflow.cli.device.asked import Fleet, Where, chosen_to_change
from edgeflow.cli.device.change import Devices, Model
from edgeflow.cli.device.several import CONNECTIONS, Connections, answer_for_all, opened_alone
from edgeflow.cli.listing import short_sha
from edgeflow.cli.project import CONFIG, ConfigFile, Json, load_plan
from edgeflow.errors import DeployError


def serve(
    devices: Devices = None,
    *,
    model: Model,
    fleet: Fleet = None,
    where: Where = None,
    stop: Annotated[bool, typer.Option("--stop", help="Let it end.")] = False,
    status: Annotated[bool, typer.Option("--status", help="Say how it is; start nothing.")] = False,
    config: ConfigFile = CONFIG,
    connections: Connections = CONNECTIONS,
    as_json: Json = False,
) -> None:
    """Start the service of a model; it serves what is current, from release to release."""
    plan = load_plan(config)
    asked = chosen_to_change(plan, devices, config, fleet, where)
    if model not in plan.config.models:
        raise typer.BadParameter(f"no model {model!r} in {config}")
    if stop and status:
        raise typer.BadParameter("--stop and --status exclude each other")

    def ask(name: str) -> dict[str, Any]:
        from edgeflow.config.service import Service
        from edgeflow.deploy import service

        options = asked[name].section.service or Service()
        with opened_alone(name, asked[name].section) as device:
            if status:
                return service.health(device, model).model_dump()
            if stop:
                # What the configuration does not have starts no more at the next boot either.
                leave = service.stop if asked[name].section.service else service.end
                return {"running": False, "stopped": leave(device, model)}
            told = options.model_dump(mode="json")
            return service.keep_serving(device, model, told).model_dump()

    def show(found: Mapping[str, Mapping[str, Any]]) -> None:
        for name, it in found.items():
            print(f"{name}: {model}: {_said(it)}")

    answer_for_all(asked, ask, show, connections=connections, as_json=as_json, code=_code)


def _code(it: Mapping[str, Any]) -> int:
    return DeployError.exit_code if it.get("failed") else 0


def _said(it: Mapping[str, Any]) -> str:
    if "stopped" in it:
        return "stopped" if it["stopped"] else "did not run"
    if not it["running"]:
        return f"does not run: {it['detail']}"
    counts = f"{it['answered']} answered, {it['busy']} busy, {it['restarts']} restarts"
    fault = f"; {it['fault']}" if it["fault"] else ""
    serves = f"serves {short_sha(it['release'])}" if it["release"] else "serves none"
    return f"{serves}; {counts}; {it['rss_mb']:.0f} MB{fault}"
