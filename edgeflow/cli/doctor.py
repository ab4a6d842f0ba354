"""`edgeflow doctor`: what the build machine and the devices are, and what does not fit."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from edgeflow import paths
from edgeflow.cli.device.asked import Devices, chosen
from edgeflow.cli.device.several import CONNECTIONS, Connections, ask_all, with_errors
from edgeflow.cli.project import CONFIG, ConfigFile, Json, load_plan, print_json
from edgeflow.cli.toolchains import failures, toolchains
from edgeflow.console import say

if TYPE_CHECKING:
    from edgeflow.cli.toolchains import Found
    from edgeflow.deploy.facts import Facts
    from edgeflow.plan import Plan


def doctor(
    devices: Devices = None,
    config: ConfigFile = CONFIG,
    connections: Connections = CONNECTIONS,
    as_json: Json = False,
) -> None:
    """Say what this machine, the devices and the compilers are, and warn of what does not fit."""
    from edgeflow.deploy.facts import of_this_machine

    plan = load_plan(config) if devices or config.is_file() else None
    known = plan.config.devices if plan else {}
    here = of_this_machine()
    found, errors = ask_all(
        chosen(plan, devices, config) if plan and known else (),
        lambda name: _ask(name, known[name]),
        connections,
    )
    failed = {f"device {name}": error for name, error in errors.items()}
    compilers = list(toolchains(plan, over_ssh=True)) if plan and not devices else []
    failed |= failures(compilers)
    said = list(warnings(plan, here, found))
    if as_json:
        print_json(_record(here, found, compilers, with_errors({}, failed), said))
    else:
        _print({"build machine": here, **{f"device {name}": it for name, it in found.items()}})
        for each in compilers:
            print(each.line())
        for title, error in failed.items():
            say(f"{title}: {error}")
        for text in said:
            say(f"warning: {text}")
    raise typer.Exit(next((error.exit_code for error in failed.values()), 0))


def _record(
    here: "Facts",
    found: Mapping[str, "Facts"],
    compilers: "Iterable[Found]",
    problems: Mapping[str, Any],
    said: list[str],
) -> dict[str, Any]:
    """Return all of it for programs."""
    devices = {name: facts.model_dump() for name, facts in found.items()}
    targets = {each.target: each.record() for each in compilers}
    return {
        "build_machine": here.model_dump(),
        "devices": {**devices, **_without("device ", problems)},
        "targets": {**targets, **_without("target ", problems)},
        "warnings": said,
    }


def _without(prefix: str, errors: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries whose title begins so, by name."""
    return {title.removeprefix(prefix): it for title, it in errors.items() if prefix in title}


def _ask(name: str, device: Any) -> "Facts":
    from edgeflow.deploy.facts import of_device
    from edgeflow.remote.inventory import endpoint

    return of_device(endpoint(name, device))


def _print(machines: Mapping[str, "Facts"]) -> None:
    for title, it in machines.items():
        print(f"{title}: {it.cpu}, {it.machine}, Python {it.python}")
        print(f"  instruction sets: {', '.join(it.instruction_sets) or 'unknown'}")
        installed = ", ".join(f"{name} {version}" for name, version in it.packages.items())
        print(f"  packages: {installed or 'none that edgeflow uses'}")
        print(f"  energy sensors: {', '.join(it.energy_sensors) or 'none that can be read'}")


def warnings(plan: "Plan | None", here: "Facts", devices: Mapping[str, "Facts"]) -> Iterator[str]:
    """Yield what is wrong with machines, and where devices differ from this one."""
    for title, it in {"this machine": here, **devices}.items():
        if it.unrelated_pycoral:
            yield (
                f"{title}: the package pycoral from PyPI has nothing to do with Coral; "
                "uninstall it (`pip uninstall pycoral`)"
            )
    sides = {name: (it.machine, it.instruction_sets) for name, it in devices.items()}
    if plan is not None:
        yield from unlike(plan, (here.machine, here.instruction_sets), sides)


def unlike(
    plan: "Plan",
    here: tuple[str, Iterable[str]],
    devices: Mapping[str, tuple[str, Iterable[str]]],
) -> Iterator[str]:
    """Yield where int8 models give other numbers on a device than on this machine.

    Args:
        plan: says which target a device has.
        here: machine and instruction sets of this machine.
        devices: the same of devices, by name.
    """
    from edgeflow.artifact.cpu import overflows

    for name, there in devices.items():
        target = plan.config.targets[plan.config.devices[name].target]
        if getattr(target, "overflow_fix", True):
            continue
        host, device = (overflows(machine, list(sets)) for machine, sets in (here, there))
        if host != device:
            lacking = "this machine" if host else name
            yield (
                f"device {name}: its target has `overflow_fix: false`, and {lacking} has no VNNI: "
                "int8 models give other numbers there than on the other; leave `overflow_fix` on"
            )


def seen(plan: "Plan", results: Path) -> dict[str, tuple[str, list[str]]]:
    """Return machine and instruction sets of devices as they were last measured, by name."""
    import json

    found = {}
    for unit in plan.deployed:
        path = results / paths.DEVICE.format(**unit.names()) / "validation.json"
        try:
            conditions = json.loads(path.read_text())["conditions"]
            found[unit.device] = (conditions["machine"], list(conditions["instruction_sets"]))
        except (OSError, ValueError, KeyError, TypeError):
            continue  # never measured, or by an older version
    return found
