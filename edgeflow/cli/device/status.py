"""`edgeflow device status`: what devices serve of each deployment."""

import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeflow import paths
from edgeflow.artifact.hashing import sha256_file
from edgeflow.cli.device.asked import Asked, Devices, Fleet, Where, chosen, say_without
from edgeflow.cli.device.several import CONNECTIONS, Connections, answer_for_all, opened
from edgeflow.cli.listing import print_columns, short_sha, when
from edgeflow.cli.project import CONFIG, RESULTS, ConfigFile, Json, Results, load_plan
from edgeflow.console import say
from edgeflow.deploy.judged import DEPLOY_AGAIN, judged_folder
from edgeflow.errors import DeployError

if TYPE_CHECKING:
    from edgeflow.deploy.agent_answer import Status

HEADER = ("device", "model", "current", "since", "previous", "state")


def status(
    devices: Devices = None,
    fleet: Fleet = None,
    where: Where = None,
    config: ConfigFile = CONFIG,
    results: Results = RESULTS,
    connections: Connections = CONNECTIONS,
    as_json: Json = False,
) -> None:
    """Say what devices serve of each deployment, since when, and what is wrong there."""
    asked = chosen(load_plan(config), devices, config, fleet, where)
    built = cache(sha256_file)  # thousands of devices may have one bundle

    def ask(name: str) -> dict[str, Any]:
        it = asked[name]
        with opened(name, it.section) as device:
            return {
                model: {
                    "recipe": recipe,
                    **_served(device.status(model), _built(name, model, it, results, built)),
                }
                for model, recipe in it.models.items()
            }

    def show(found: Mapping[str, Mapping[str, Any]]) -> None:
        _print_table(found)
        say_without(asked)
        for line in () if fleet else _hints(found, results):
            say(line)

    def code(served: Mapping[str, Any]) -> int:
        return DeployError.exit_code if any(it["fault"] for it in served.values()) else 0

    answer_for_all(asked, ask, show, connections=connections, as_json=as_json, code=code)


def _hints(found: Mapping[str, Mapping[str, Any]], results: Path) -> Iterator[str]:
    """Yield how to deploy what a build takes for deployed although devices do not serve it."""
    for name, served in found.items():
        for model, it in served.items():
            folder = judged_folder(results, name, model)
            if folder and it["current_sha256"] != it["deployed_sha256"]:
                yield f"hint: to deploy {model} to {name} again, {DEPLOY_AGAIN.format(folder)}"


def _print_table(found: Mapping[str, Mapping[str, Any]]) -> None:
    rows = [
        (
            name,
            model,
            short_sha(it["current_sha256"]),
            when(it["since_unix_s"]) if it["since_unix_s"] else "-",
            short_sha(it["previous_sha256"]),
            it["fault"] or it["state"],
        )
        for name, served in found.items()
        for model, it in served.items()
    ]
    print_columns(HEADER, rows)


def _built(
    name: str, model: str, asked: Asked, results: Path, digest: Callable[[Path], str]
) -> str | None:
    """Return the bundle that this project brings there, or has brought last; None if none yet."""
    if asked.fleet is None:
        return _deployed(results / paths.DEVICE.format(device=name, model=model) / "deploy.json")
    place = {"target": asked.section.target, "model": model, "recipe": asked.models[model]}
    bundle = results / paths.COMPILED.format(**place) / "bundle.tar"
    return digest(bundle) if bundle.is_file() else None


def _served(found: "Status", built: str | None) -> dict[str, Any]:
    return {
        "current_sha256": found.current,
        "since_unix_s": found.since_unix_s,
        "previous_sha256": found.previous,
        "deployed_sha256": built,
        "signed_by": found.signed_by,
        "rejected_sha256": list(found.rejected),
        "fault": found.fault,
        "state": _state(found, built),
        "release_state": found.state,
        "pending": found.pending.model_dump() if found.pending else None,
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
    if found.pending is not None:
        return f"{found.pending.sha[:12]} on trial, for {found.pending.left_s:.0f} s"
    if found.current is None:
        return "serves none"
    if built is None:
        return "not deployed from here"
    if found.current == built:
        return "serves the last build"
    return "rejected the last build" if built in found.rejected else "serves another build"
