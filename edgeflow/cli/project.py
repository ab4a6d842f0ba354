"""Commands about a whole project: check, run, summary, targets."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeflow.cli.doctor import doctor
from edgeflow.cli.toolchains import failures, look, toolchains
from edgeflow.console import say
from edgeflow.errors import EdgeflowError

if TYPE_CHECKING:
    from edgeflow.plan import Plan
    from edgeflow.targets.base import Target

ConfigFile = Annotated[Path, typer.Option("--config", "-c", help="The configuration to read.")]
Results = Annotated[Path, typer.Option(help="Folder that holds models/ and devices/.")]


def register(app: typer.Typer) -> None:
    """Add the commands about a project to the command line."""
    for command in (check, doctor, summary, targets):
        app.command(rich_help_panel="Project")(command)
    # What `run` does not know is snakemake's.
    app.command(rich_help_panel="Project", context_settings={"ignore_unknown_options": True})(run)


def check(
    config: ConfigFile = Path("config.yaml"),
    fast: Annotated[bool, typer.Option("--fast", help="Build no network: a second.")] = False,
    results: Results = Path("results"),
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


def load_plan(config: Path) -> "Plan":
    """Return what a configuration file asks for."""
    # Here, as all commands import this module and most steps need no configuration.
    from edgeflow.config.load import load_file
    from edgeflow.plan import Plan

    return Plan(load_file(config))


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


def summary(config: ConfigFile = Path("config.yaml"), results: Results = Path("results")) -> None:
    """Print the table of all deployments as they were last measured."""
    from edgeflow.report.console import print_summary
    from edgeflow.report.rows import load_rows

    plan = load_plan(config)
    print_summary(load_rows(results, plan.job("report").slice), sys.stdout)


def targets() -> None:
    """List the kinds of targets, what they take and tell, and what is missing here to use them."""
    from edgeflow.targets import registry
    from edgeflow.targets.base import own_figures

    for name in registry.names():
        try:
            target = registry.get(name)
        except EdgeflowError as error:
            print(f"{name}: {error}")
            continue
        print(f"{name}: {', '.join(sorted(target.capabilities.quantize))}: {_state(target)}")
        for figure in own_figures(target):
            gate = f"; gate {figure.gate}" if figure.gate else ""
            print(f"  {figure.name}: {figure.meaning} ({figure.kind}{gate})")


def _state(target: "type[Target]") -> str:
    """Return what is missing here to use a target with its default options."""
    from pydantic import ValidationError

    from edgeflow.config.target import toolchain_of

    try:
        options = target.Options.model_validate({"kind": target.name})
    except ValidationError as error:
        keys = sorted(".".join(map(str, entry["loc"])) for entry in error.errors())
        return f"needs options: {', '.join(keys)}"
    missing = [f"needs {item.what}: {item.install}" for item in target.check(options)]
    try:
        look(toolchain_of(target, options), None)
    except EdgeflowError as error:
        missing.append(f"{error.message}: {error.hint}")
    return "; ".join(missing) or "ready"


def run(
    arguments: Annotated[
        list[str] | None, typer.Argument(help="Passed to snakemake, for example -n or --cores 4.")
    ] = None,
) -> None:
    """Run snakemake, and exit with the code of the first step that failed."""
    from edgeflow.cli.workflow import run_snakemake

    raise typer.Exit(run_snakemake(arguments or []))
