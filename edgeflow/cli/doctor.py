"""`edgeflow doctor`: what the build machine and the devices are, and what does not fit."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeflow import paths
from edgeflow.cli.project import CONFIG, ConfigFile, Json, load_plan, print_json
from edgeflow.cli.toolchains import failures, toolchains
from edgeflow.console import say
from edgeflow.errors import EdgeflowError

if TYPE_CHECKING:
    from edgeflow.deploy.facts import Facts
    from edgeflow.plan import Plan


def doctor(
    devices: Annotated[
        list[str] | None, typer.Argument(help="Devices to ask; by default all of them.")
    ] = None,
    config: ConfigFile = CONFIG,
    as_json: Json = False,
) -> None:
    """Say what this machine, the devices and the compilers are, and warn of what does not fit."""
    from edgeflow.deploy.facts import of_this_machine

    plan = load_plan(config) if devices or config.is_file() else None
    known = plan.config.devices if plan else {}
    for name in devices or ():
        if name not in known:
            raise typer.BadParameter(f"no device {name!r} in {config}")
    here = of_this_machine()
    found, failed = _ask_all({name: known[name] for name in devices or known})
    compilers = list(toolchains(plan, over_ssh=True)) if plan and not devices else []
    failed |= failures(compilers)
    said = list(warnings(plan, here, found))
    if as_json:
        asked = {name: facts.model_dump() for name, facts in found.items()}
        errors = {title: {"error": str(error)} for title, error in failed.items()}
        print_json(
            {
                "build_machine": here.model_dump(),
                "devices": {**asked, **_without("device ", errors)},
                "targets": {
                    **{each.target: each.record() for each in compilers},
                    **_without("target ", errors),
                },
                "warnings": said,
            }
        )
    else:
        _print({"build machine": here, **{f"device {name}": it for name, it in found.items()}})
        for each in compilers:
            print(each.line())
        for title, error in failed.items():
            say(f"{title}: {error}")
        for text in said:
            say(f"warning: {text}")
    raise typer.Exit(next((error.exit_code for error in failed.values()), 0))


def _ask_all(devices: Mapping[str, Any]) -> "tuple[dict[str, Facts], dict[str, EdgeflowError]]":
    """Return what devices are by name, and why the others do not say it."""
    found: dict[str, Facts] = {}
    failed: dict[str, EdgeflowError] = {}
    for name, device in devices.items():
        try:
            found[name] = _ask(name, device)
        except EdgeflowError as error:
            failed[f"device {name}"] = error
    return found, failed


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
    for unit in plan.units:
        path = results / paths.DEVICE.format(**unit.names()) / "validation.json"
        try:
            conditions = json.loads(path.read_text())["conditions"]
            found[unit.device] = (conditions["machine"], list(conditions["instruction_sets"]))
        except (OSError, ValueError, KeyError, TypeError):
            continue  # never measured, or by an older version
    return found
