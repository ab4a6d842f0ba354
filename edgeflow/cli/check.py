"""`edgeflow check`: what is wrong with a project, and what would be built from it."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeflow.cli.project import CONFIG, RESULTS, ConfigFile, Json, Results, print_json
from edgeflow.cli.toolchains import failures, toolchains
from edgeflow.console import say
from edgeflow.errors import ConfigError
from edgeflow.text import plain

if TYPE_CHECKING:
    from edgeflow.cli.toolchains import Found
    from edgeflow.fleet.counted import Counted
    from edgeflow.plan import Plan

Machines = dict[str, tuple[str, list[str]]]


def check(
    config: ConfigFile = CONFIG,
    fast: Annotated[bool, typer.Option("--fast", help="Build no network: a second.")] = False,
    results: Results = RESULTS,
    as_json: Json = False,
) -> None:
    """Validate a configuration with its files and networks; say what would be built from it."""
    from edgeflow.check.project import check_project
    from edgeflow.plan import Plan

    try:
        plan = Plan(check_project(config, fast=fast))
    except ConfigError as error:
        if as_json:
            print_json({"problems": [asdict(problem) for problem in error.problems]})
            raise typer.Exit(error.exit_code) from error
        raise
    fleets = _fleets(plan)
    found = list(toolchains(plan, over_ssh=False))
    missing, said, sides = (
        list(_missing(plan, found)),
        list(_findings(plan, fast)),
        machines(plan, results),
    )
    said += [f"warning: {text}" for text in _unlike(plan, sides)]
    fits = {} if fast else _fits(plan)
    if as_json:
        of_fleets = {"rollouts": [asdict(it) for it in fleets]}
        record = _record(plan, found, missing, said, sides)
        print_json({**record, **of_fleets, "fits": [*fits.values()]})
    else:
        for text in (*missing, *said):
            say(text)
        lines = [
            f"{title}: {it[0]}, {', '.join(it[1]) or 'unknown'}" for title, it in sides.items()
        ]
        told = [it.line() for kind in (fleets, found) for it in kind]
        for line in [*describe(plan), *fits, *told, *lines]:
            print(line)
    raise typer.Exit(3 if missing else 0)


def _fleets(plan: "Plan") -> "list[Counted]":
    """Return how many devices of inventories each rollout and each of its waves reaches."""
    if not plan.config.rollouts:
        return []
    from edgeflow.fleet.counted import counted
    from edgeflow.fleet.inventory import inventories

    return counted(plan, inventories(plan.config.fleets))


def _missing(plan: "Plan", found: "list[Found]") -> Iterator[str]:
    """Yield what targets need and this machine has not."""
    from edgeflow.targets import registry

    for name, options in plan.config.targets.items():
        for item in registry.get(options.kind).check(options):  # type: ignore[attr-defined]
            yield f"target {name} needs {item.what}: {item.install}"
    for title, error in failures(found).items():
        yield f"{title}: {error}"


def _findings(plan: "Plan", fast: bool) -> Iterator[str]:
    """Yield what is known of networks before they are built, the severity first."""
    from edgeflow.check.channels import unlike_channels
    from edgeflow.check.lint import lints

    yield from (f"warning: {text}" for text in unlike_channels(plan))
    yield from lints(plan, fast=fast)


def _fits(plan: "Plan") -> dict[str, dict[str, Any]]:
    """Return what networks take of targets' memory before they are trained: lines, and records."""
    from edgeflow.check.fits import fits_of
    from edgeflow.check.nearest import sizes

    return {
        f"  {case.title}: {sizes(fit)}": {**asdict(case), **asdict(fit)}
        for case, fit in fits_of(plan.config).items()
    }


def _record(
    plan: "Plan", found: "list[Found]", missing: list[str], said: list[str], sides: Machines
) -> dict[str, Any]:
    """Return all of it for programs."""
    units = [
        {**unit.names(), "gates": unit.gates.model_dump(exclude_none=True)} for unit in plan.units
    ]
    return {
        "problems": [],
        "jobs": counts(plan),
        "deployments": units,
        "targets": {each.target: each.record() for each in found},
        "machines": {
            title: {"machine": it[0], "instruction_sets": it[1]} for title, it in sides.items()
        },
        "missing": missing,
        "findings": said,
    }


def counts(plan: "Plan") -> dict[str, int]:
    """Return how many jobs of each kind a whole build of a plan has."""
    units = plan.units
    models = {unit.model for unit in units}
    imports = sum(plan.config.models[model].source is not None for model in models)
    return {
        "datasets": len({plan.config.models[model].dataset for model in models}),
        "trainings": len(models) - imports,
        **({"imports": imports} if imports else {}),
        "compressions": len({(unit.model, unit.recipe) for unit in units}),
        "compilations": len({(unit.target, unit.model, unit.recipe) for unit in units}),
        "deployments": len(plan.deployed),
    }


def describe(plan: "Plan") -> list[str]:
    """Return what a plan builds, one line for each kind of step and each deployment."""
    lines = [", ".join(f"{count} {name}" for name, count in counts(plan).items())]
    for unit in plan.units:
        gates = unit.gates.model_dump(exclude_none=True)
        limits = ", ".join(f"{name} {plain(limit)}" for name, limit in gates.items()) or "no gates"
        place = (
            f"{unit.target} -> {unit.device}" if unit.device else f"{unit.target}, only compiled"
        )
        lines.append(f"  {unit.model}/{unit.recipe} -> {place}: {limits}")
    return lines


def machines(plan: "Plan", results: Path) -> Machines:
    """Return this machine's instruction sets, and those of devices as last measured."""
    import platform

    from edgeflow.cli.doctor import seen
    from edgeflow.ondevice.facts import instruction_sets

    here, devices = (platform.machine(), instruction_sets()), seen(plan, results)
    return {"build machine": here, **{f"device {name}": it for name, it in devices.items()}}


def _unlike(plan: "Plan", sides: Machines) -> Iterator[str]:
    """Yield where devices differ from this machine in what matters."""
    from edgeflow.cli.doctor import unlike

    devices = {
        title.removeprefix("device "): it
        for title, it in sides.items()
        if title.startswith("device ")
    }
    return unlike(plan, sides["build machine"], devices)
