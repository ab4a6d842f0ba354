"""Which devices there are, whether they answer, and what lies on them. Nothing is changed there."""

import time
from collections.abc import Mapping
from typing import Any

from edgeflow.cli.device.asked import Devices, Fleet, Where, chosen
from edgeflow.cli.device.several import CONNECTIONS, Connections, answer_for_all, opened
from edgeflow.cli.listing import print_columns, short_sha
from edgeflow.cli.project import CONFIG, ConfigFile, Json, load_plan, print_json
from edgeflow.console import say

Models = list[dict[str, Any]]


def list_(config: ConfigFile = CONFIG, as_json: Json = False) -> None:
    """List the devices of the configuration; none of them is asked."""
    plan = load_plan(config)
    deployed: dict[str, list[str]] = {name: [] for name in plan.config.devices}
    for unit in plan.deployed:
        deployed[unit.device].append(f"{unit.model}/{unit.recipe}")
    found: list[dict[str, Any]] = [
        {
            "device": name,
            "target": device.target,
            "transport": device.transport,
            "host": getattr(device, "host", None),
            "deployments": deployed[name],
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
    fleet: Fleet = None,
    where: Where = None,
    config: ConfigFile = CONFIG,
    connections: Connections = CONNECTIONS,
    as_json: Json = False,
) -> None:
    """Log in to devices and run a program there; say how long each of that took."""
    asked = chosen(load_plan(config), devices, config, fleet, where)

    def show(found: Mapping[str, Mapping[str, float]]) -> None:
        for name, it in found.items():
            login = f"login took {it['login_ms']:.0f} ms"
            print(f"{name}: answers in {it['answer_ms']:.0f} ms; {login}")

    def ask(name: str) -> dict[str, float]:
        return _ping(name, asked[name].section)

    answer_for_all(asked, ask, show, connections=connections, as_json=as_json)


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
    fleet: Fleet = None,
    where: Where = None,
    config: ConfigFile = CONFIG,
    connections: Connections = CONNECTIONS,
    as_json: Json = False,
) -> None:
    """List the models that lie on devices, with their size; `remove` takes one away."""
    asked = chosen(load_plan(config), devices, config, fleet, where)

    def ask(name: str) -> Models:
        with opened(name, asked[name].section) as device:
            return [
                {
                    "model": it.name,
                    "current_sha256": it.current,
                    "size_bytes": it.size_bytes,
                    "configured": asked[name].has(it.name),
                }
                for it in device.models()
            ]

    def show(found: Mapping[str, Models]) -> None:
        _print_models(found, unknown=f"not in {config}")

    answer_for_all(asked, ask, show, connections=connections, as_json=as_json)


def _print_models(found: Mapping[str, Models], unknown: str) -> None:
    """Print what lies on devices; `unknown` is said of what is not configured there."""
    rows = [
        (
            name,
            it["model"],
            short_sha(it["current_sha256"]),
            str(it["size_bytes"]),
            "" if it["configured"] else unknown,
        )
        for name, stored in found.items()
        for it in stored
    ]
    if rows:
        print_columns(("device", "model", "current", "bytes", ""), rows)
    for name in (name for name, stored in found.items() if not stored):
        say(f"{name}: no model lies there")
