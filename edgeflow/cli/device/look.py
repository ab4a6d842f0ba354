"""What devices are, whether they answer, and what they serve. Nothing is changed there."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeflow import paths
from edgeflow.cli.device.several import (
    CONNECTIONS,
    Connections,
    Devices,
    ask_all,
    chosen,
    leave,
    with_errors,
)
from edgeflow.cli.listing import print_columns, when
from edgeflow.cli.project import (
    CONFIG,
    RESULTS,
    ConfigFile,
    Json,
    Results,
    load_plan,
    print_json,
)

if TYPE_CHECKING:
    from edgeflow.deploy.agent_answer import Status
    from edgeflow.plan import Unit


def list_(config: ConfigFile = CONFIG, as_json: Json = False) -> None:
    """List the devices of the configuration; none of them is asked."""
    plan = load_plan(config)
    models: dict[str, list[str]] = {name: [] for name in plan.config.devices}
    for unit in plan.units:
        models[unit.device].append(f"{unit.model}/{unit.recipe}")
    found: list[dict[str, Any]] = [
        {
            "device": name,
            "target": device.target,
            "transport": device.transport,
            "host": getattr(device, "host", None),
            "deployments": models[name],
        }
        for name, device in plan.config.devices.items()
    ]
    if as_json:
        print_json(found)
        return
    rows = [
        (it["device"], it["target"], it["host"] or it["transport"], ", ".join(it["deployments"]))
        for it in found
    ]
    print_columns(("device", "target", "host", "deployments"), rows)


def ping(
    devices: Devices = None,
    config: ConfigFile = CONFIG,
    connections: Connections = CONNECTIONS,
    as_json: Json = False,
) -> None:
    """Log in to devices and run a program there; say how long each of that took."""
    plan = load_plan(config)
    sections = chosen(plan, devices, config)
    found, failed = ask_all(sections, lambda name: _ping(name, sections[name]), connections)
    if as_json:
        print_json(with_errors(found, failed))
        leave(failed, said=True)
    for name, it in found.items():
        print(
            f"{name}: answers in {it['answer_ms']:.0f} ms, after {it['login_ms']:.0f} ms to log in"
        )
    leave(failed)


def _ping(name: str, device: Any) -> dict[str, float]:
    """Return how long a login and a program's whole run took, in ms."""
    from edgeflow.remote.inventory import endpoint
    from edgeflow.remote.session import Session

    where = endpoint(name, device)
    began = time.monotonic()
    with Session(where) as session:
        ready = time.monotonic()
        session.run(["true"], where.run_timeout_s)
        done = time.monotonic()
    return {
        "login_ms": round((ready - began) * 1000, 1),
        "answer_ms": round((done - ready) * 1000, 1),
    }


def models(
    devices: Devices = None,
    config: ConfigFile = CONFIG,
    connections: Connections = CONNECTIONS,
    as_json: Json = False,
) -> None:
    """List the models that lie on devices, with their size; `remove` takes one away."""
    plan = load_plan(config)
    sections = chosen(plan, devices, config)
    wanted = {(unit.device, unit.model) for unit in plan.units}

    def ask(name: str) -> list[dict[str, Any]]:
        from edgeflow.deploy.release import connect
        from edgeflow.remote.inventory import endpoint

        with connect(endpoint(name, sections[name])) as device:
            return [
                {
                    "model": it.name,
                    "current_sha256": it.current,
                    "size_bytes": it.size_bytes,
                    "configured": (name, it.name) in wanted,
                }
                for it in device.models()
            ]

    found, failed = ask_all(sections, ask, connections)
    if as_json:
        print_json(with_errors(found, failed))
        leave(failed, said=True)
    rows = [
        (
            name,
            it["model"],
            _short(it["current_sha256"]),
            str(it["size_bytes"]),
            "" if it["configured"] else f"not in {config}",
        )
        for name, stored in found.items()
        for it in stored
    ]
    print_columns(("device", "model", "current", "bytes", ""), rows)
    leave(failed)


def status(
    devices: Devices = None,
    config: ConfigFile = CONFIG,
    results: Results = RESULTS,
    connections: Connections = CONNECTIONS,
    as_json: Json = False,
) -> None:
    """Say what devices serve of each deployment, since when, and what is wrong there."""
    plan = load_plan(config)
    sections = chosen(plan, devices, config)

    units: dict[str, list[Unit]] = {name: [] for name in plan.config.devices}
    for unit in plan.units:
        units[unit.device].append(unit)

    def ask(name: str) -> dict[str, Any]:
        from edgeflow.deploy.release import connect
        from edgeflow.remote.inventory import endpoint

        with connect(endpoint(name, sections[name])) as device:
            return {it.model: _served(device.status(it.model), it, results) for it in units[name]}

    found, failed = ask_all(sections, ask, connections)
    if as_json:
        print_json(with_errors(found, failed))
        leave(failed, said=True)
    rows = [
        (
            name,
            model,
            _short(it["current_sha256"]),
            when(it["since_unix_s"]) if it["since_unix_s"] else "-",
            _short(it["previous_sha256"]),
            it["fault"] or it["state"],
        )
        for name, served in found.items()
        for model, it in served.items()
    ]
    print_columns(("device", "model", "current", "since", "previous", "state"), rows)
    leave(failed)


def _served(found: "Status", unit: "Unit", results: Path) -> dict[str, Any]:
    built = _deployed(results / paths.DEVICE.format(**unit.names()) / "deploy.json")
    return {
        "recipe": unit.recipe,
        "current_sha256": found.current,
        "since_unix_s": found.since_unix_s,
        "previous_sha256": found.previous,
        "deployed_sha256": built,
        "rejected_sha256": list(found.rejected),
        "fault": found.fault,
        "state": _state(found, built),
        "free_bytes": found.free_bytes,
    }


def _deployed(record: Path) -> str | None:
    """Return the bundle that this project deployed last; None if it never did."""
    try:
        return str(json.loads(record.read_text())["bundle_sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _state(found: "Status", built: str | None) -> str:
    """Say how what a device serves compares with what this project brought there last."""
    if found.current is None:
        return "serves none"
    if built is None:
        return "not deployed from here"
    if found.current == built:
        return "serves the last build"
    return "rejected the last build" if built in found.rejected else "serves another build"


def _short(sha: str | None) -> str:
    return sha[:12] if sha else "-"
