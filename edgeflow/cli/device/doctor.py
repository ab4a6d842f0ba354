"""`edgeflow device doctor`: what devices lack, and the command that fixes it."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from edgeflow.cli.device.asked import Asked, Devices, Fleet, Where, chosen
from edgeflow.cli.device.provision import device_lock
from edgeflow.cli.device.several import CONNECTIONS, Connections, answer_for_all
from edgeflow.cli.listing import print_columns
from edgeflow.cli.project import CONFIG, ConfigFile, Json, load_plan

if TYPE_CHECKING:
    from edgeflow.deploy.checkup import Check
    from edgeflow.deploy.release import OpenDevice
    from edgeflow.plan import Plan

HEADER = ("device", "what", "state", "", "to fix it")
Checks = list[dict[str, Any]]


def doctor(
    devices: Devices = None,
    fleet: Fleet = None,
    where: Where = None,
    config: ConfigFile = CONFIG,
    connections: Connections = CONNECTIONS,
    as_json: Json = False,
) -> None:
    """Say what devices lack for deployments, and the command that fixes it.

    Warnings leave the exit code 0; what is missing or a fault has that of its class.
    """
    plan = load_plan(config)
    asked = chosen(plan, devices, config, fleet, where)

    def ask(name: str) -> Checks:
        found = _examine(plan, name, asked[name])
        return [_of(asked[name], check).to_json() for check in found]

    def show(found: Mapping[str, Checks]) -> None:
        rows = [
            (name, it["what"], it["state"], it["detail"], it["fix"])
            for name, checks in found.items()
            for it in checks
        ]
        print_columns(HEADER, rows)

    def code(checks: Checks) -> int:
        return next((int(it["exit_code"]) for it in checks if it["exit_code"]), 0)

    answer_for_all(asked, ask, show, connections=connections, as_json=as_json, code=code)


def _of(device: Asked, check: "Check") -> "Check":
    """Return a check whose command names the device as this one did."""
    own = check.fix.startswith("edgeflow device ")
    return replace(check, fix=check.fix + device.option) if own else check


def _examine(plan: "Plan", name: str, asked: Asked) -> "Iterator[Check]":
    from edgeflow.deploy.checkup import checks, checkup_over, trust_check
    from edgeflow.deploy.facts import facts_over
    from edgeflow.deploy.provision.keys import trusted
    from edgeflow.deploy.release import OpenDevice
    from edgeflow.remote.inventory import endpoint
    from edgeflow.remote.session import Session

    device, where = asked.section, endpoint(name, asked.section)
    with Session(where) as session:
        found = checkup_over(session)
        wanted = trusted(plan.config.signing, signatures=device.trust == "signatures")
        yield from trust_check(where, found, wanted)
        yield from checks(where, facts_over(session), found, device_lock(plan, device), time.time())
        opened = OpenDevice(session)
        for model in asked.models:
            yield from _model(opened, model, asked)


def _model(device: "OpenDevice", model: str, asked: Asked) -> "Iterator[Check]":
    """Yield what a model serves, and a trial or a service that did not end well."""
    from edgeflow.deploy.checkup import Check

    status = device.status(model)
    if status.fault:
        yield Check(what=model, state="fault", detail=status.fault, fix=asked.deploy)
    elif status.current is None and not status.releases:
        yield Check(what=model, state="warning", detail="never deployed", fix=asked.deploy)
    elif status.current is None:
        yield Check(what=model, state="missing", detail="none is current", fix=asked.deploy)
    else:
        yield Check(what=model, state="ok", detail=f"release {status.current[:12]}")
    if (pending := status.pending) is not None and pending.left_s <= 0:
        detail = f"release {pending.sha[:12]} was on trial when the device stopped"
        yield Check(what=f"{model}: trial", state="warning", detail=detail, fix=asked.deploy)
    if status.current is not None:
        yield from _service(device, model, wanted=asked.section.service is not None)


def _service(device: "OpenDevice", model: str, *, wanted: bool) -> "Iterator[Check]":
    """Yield how a service is; of one that the configuration does not have, only that it runs."""
    from edgeflow.deploy.checkup import Check
    from edgeflow.deploy.service import health

    found, what, name = health(device, model), f"{model}: service", device.endpoint.name
    logs, start = f"edgeflow device logs {name}", f"edgeflow device serve {name} {model}"
    if not wanted:
        detail = "it runs, and the device has no `service` in the configuration"
        if found.running:
            yield Check(what=what, state="warning", detail=detail, fix=f"{start} --stop")
    elif found.running and found.fault:
        yield Check(what=what, state="fault", detail=found.fault, fix=logs)
    elif found.running:
        yield Check(what=what, state="ok", detail="it runs")
    elif found.failed:
        yield Check(what=what, state="fault", detail=found.detail, fix=logs)
    else:
        yield Check(what=what, state="missing", detail=found.detail, fix=start)
