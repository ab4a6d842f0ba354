"""`edgeflow check`: what is wrong with a project, and what would be built from it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeflow.cli.project import CONFIG, RESULTS, ConfigFile, Results
from edgeflow.cli.toolchains import failures, toolchains
from edgeflow.console import say

if TYPE_CHECKING:
    from edgeflow.plan import Plan


def check(
    config: ConfigFile = CONFIG,
    fast: Annotated[bool, typer.Option("--fast", help="Build no network: a second.")] = False,
    results: Results = RESULTS,
) -> None:
    """Validate a configuration with its files and networks; say what would be built from it."""
    from edgeflow.check.channels import unlike_channels
    from edgeflow.check.lint import lints
    from edgeflow.check.project import check_project
    from edgeflow.plan import Plan
    from edgeflow.targets import registry

    plan = Plan(check_project(config, fast=fast))
    missing = False
    for name, options in plan.config.targets.items():
        for item in registry.get(options.kind).check(options):  # type: ignore[attr-defined]
            say(f"target {name} needs {item.what}: {item.install}")
            missing = True
    found = list(toolchains(plan, over_ssh=False))
    for title, error in failures(found).items():
        say(f"{title}: {error}")
        missing = True
    for text in unlike_channels(plan):
        say(f"warning: {text}")
    for text in lints(plan):
        say(text)
    lines = [each.line() for each in found]
    for line in [*describe(plan), *lines, *machines(plan, results)]:
        print(line)
    raise typer.Exit(3 if missing else 0)


def describe(plan: "Plan") -> list[str]:
    """Return what a plan builds, one line for each kind of step and each deployment."""
    units = plan.units
    models = {unit.model for unit in units}
    imports = sum(plan.config.models[model].source is not None for model in models)
    counts = {
        "datasets": len({plan.config.models[model].dataset for model in models}),
        "trainings": len(models) - imports,
        **({"imports": imports} if imports else {}),
        "compressions": len({(unit.model, unit.recipe) for unit in units}),
        "compilations": len({(unit.target, unit.model, unit.recipe) for unit in units}),
        "deployments": len(units),
    }
    lines = [", ".join(f"{count} {name}" for name, count in counts.items())]
    for unit in units:
        gates = unit.gates.model_dump(exclude_none=True)
        limits = ", ".join(f"{name} {limit:g}" for name, limit in gates.items()) or "no gates"
        lines.append(f"  {unit.model}/{unit.recipe} -> {unit.target} -> {unit.device}: {limits}")
    return lines


def machines(plan: "Plan", results: Path) -> list[str]:
    """Return this machine's instruction sets, and those of devices as last measured, as lines.

    Where they differ in what matters, a warning is said.
    """
    import platform

    from edgeflow.cli.doctor import seen, unlike
    from edgeflow.ondevice.facts import instruction_sets

    here, devices = (platform.machine(), instruction_sets()), seen(plan, results)
    for text in unlike(plan, here, devices):
        say(f"warning: {text}")
    sides = {"build machine": here, **{f"device {name}": it for name, it in devices.items()}}
    return [f"{title}: {it[0]}, {', '.join(it[1]) or 'unknown'}" for title, it in sides.items()]
