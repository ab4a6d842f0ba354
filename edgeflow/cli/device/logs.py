"""What was done to devices, what their services said, and what they no longer need."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from edgeflow.cli.device.asked import Asked, Devices, Fleet, Where, chosen, say_without
from edgeflow.cli.device.change import require_name
from edgeflow.cli.device.several import CONNECTIONS, Connections, answer_for_all, opened
from edgeflow.cli.listing import print_columns, short_sha
from edgeflow.cli.names import names_of
from edgeflow.cli.project import CONFIG, ConfigFile, Json, load_plan
from edgeflow.console import say
from edgeflow.errors import IntegrityError
from edgeflow.text import excerpt

if TYPE_CHECKING:
    from edgeflow.deploy.release import OpenDevice

T = TypeVar("T")
Logs = Mapping[str, Mapping[str, Any]]
"""The audit log of each model."""
Model = Annotated[
    str | None,
    typer.Option(
        help="Of this model alone; by default all that are deployed there.",
        autocompletion=names_of("models"),
    ),
]
Last = Annotated[int, typer.Option(min=1, max=1000, help="How many of the last.")]
# Of an entry these are columns of their own, or say how the log hangs together.
FACT_CHARACTERS = 1000
_APART = frozenset({"verb", "time", "sha", "before", "torn"})


def history(
    devices: Devices = None,
    model: Model = None,
    last: Last = 20,
    fleet: Fleet = None,
    where: Where = None,
    config: ConfigFile = CONFIG,
    connections: Connections = CONNECTIONS,
    as_json: Json = False,
) -> None:
    """Say what was done to models, by audit logs, and whether anybody has changed those."""
    asked = chosen(load_plan(config), devices, config, fleet, where)

    def ask(name: str) -> dict[str, Any]:
        found = _of_models(name, asked[name], model, lambda it, of: it.history(of, last))
        return {of: it.model_dump() for of, it in found.items()}

    def show(found: Mapping[str, Logs]) -> None:
        _print_history(found)
        if model is None:
            say_without(asked)

    answer_for_all(asked, ask, show, connections=connections, as_json=as_json, code=_code)


def _print_history(found: Mapping[str, Logs]) -> None:
    logs = [(name, of, log) for name, those in found.items() for of, log in those.items()]
    rows = [
        (name, of, it["time"], it["verb"], _release(it), _facts(it))
        for name, of, log in logs
        for it in log["entries"]
    ]
    if rows:
        print_columns(("device", "model", "time there", "verb", "release", ""), rows)
    for name, of, log in logs:
        if not log["entries"]:
            say(f"{name}: {of}: nothing was done there yet")
        if log["chain"] != "whole":
            print(f"{name}: {of}: the audit log was changed: {log['chain']}")


def _code(logs: Logs) -> int:
    changed = any(log["chain"] != "whole" for log in logs.values())
    return IntegrityError.exit_code if changed else 0


def _release(entry: Mapping[str, Any]) -> str:
    return short_sha(excerpt(str(entry.get("sha") or "")))


def _facts(entry: Mapping[str, Any]) -> str:
    """Return what else an entry says: whatever somebody has written into the log there."""
    told = (f"{key} {value}" for key, value in entry.items() if key not in _APART)
    return ", ".join(excerpt(it, FACT_CHARACTERS) for it in told)


def logs(
    devices: Devices = None,
    model: Model = None,
    last: Last = 20,
    fleet: Fleet = None,
    where: Where = None,
    config: ConfigFile = CONFIG,
    connections: Connections = CONNECTIONS,
    as_json: Json = False,
) -> None:
    """Print what the services on devices said last."""
    asked = chosen(load_plan(config), devices, config, fleet, where)

    def ask(name: str) -> dict[str, tuple[str, ...]]:
        return _of_models(name, asked[name], model, lambda it, of: it.logs(of, last))

    def show(found: Mapping[str, Mapping[str, Iterable[str]]]) -> None:
        for name, said in found.items():
            for of, lines in said.items():
                for line in lines or ("its service has said nothing",):
                    print(f"{name}: {of}: {line}")
        if model is None:
            say_without(asked)

    answer_for_all(asked, ask, show, connections=connections, as_json=as_json)


def _of_models(
    name: str,
    device: Asked,
    model: str | None,
    ask: "Callable[[OpenDevice, str], T]",
) -> dict[str, T]:
    """Return what a device says of each model that is deployed there, or of one."""
    if model:
        require_name(model)
    with opened(name, device.section) as there:
        return {of: ask(there, of) for of in ([model] if model else device.models)}


def gc(
    devices: Devices = None,
    fleet: Fleet = None,
    where: Where = None,
    config: ConfigFile = CONFIG,
    connections: Connections = CONNECTIONS,
    as_json: Json = False,
) -> None:
    """Remove old releases, test sets, environments and agents from devices; what serves stays."""
    asked = chosen(load_plan(config), devices, config, fleet, where)

    def ask(name: str) -> dict[str, int]:
        with opened(name, asked[name].section) as device:
            return {"freed_bytes": device.gc()}

    def show(found: Mapping[str, Mapping[str, int]]) -> None:
        for name, it in found.items():
            print(f"{name}: freed {it['freed_bytes']} bytes")

    answer_for_all(asked, ask, show, connections=connections, as_json=as_json)
