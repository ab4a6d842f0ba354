"""`edgeflow model profile`: a model file measured on a device, without a dataset."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeflow.cli.names import names_of
from edgeflow.cli.place import ModelFile, placed
from edgeflow.cli.project import CONFIG, RESULTS, ConfigFile, Json, Results, print_json
from edgeflow.config.finding import did_you_mean

if TYPE_CHECKING:
    from edgeflow.config.recipe import Recipe
    from edgeflow.plan import Plan
    from edgeflow.profiling.bundle import Board
    from edgeflow.profiling.profile import Profile

VIRTUAL = {"name": "model.profile", "device": {"transport": "virtual"}}
"""The device where none is named; no device of a configuration has a dot in its name."""


def profile(
    model: ModelFile,
    target: Annotated[
        str,
        typer.Option(
            help="A target of the configuration, or a kind with default options; by default that "
            "of the device, or litert.",
            autocompletion=names_of("targets"),
        ),
    ] = "",
    device: Annotated[
        str,
        typer.Option(
            help="A device of the configuration; by default a virtual one.",
            autocompletion=names_of("devices"),
        ),
    ] = "",
    recipe: Annotated[
        str,
        typer.Option(
            help="For a float file: a recipe of the configuration that needs no data, or fp16 or "
            "dynamic.",
            autocompletion=names_of("recipes"),
        ),
    ] = "",
    runs: Annotated[int, typer.Option(min=10, help="Timed inferences.")] = 200,
    warmup: Annotated[int, typer.Option(min=0, help="Inferences before them.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Of the random samples.")] = 0,
    config: ConfigFile = CONFIG,
    results: Results = RESULTS,
    as_json: Json = False,
) -> None:
    """Measure latency, memory and size of a model file on a device, with random samples.

    It runs there under a name of its own beside what is deployed, and is removed at the end.
    """
    from edgeflow.cli.project import load_plan
    from edgeflow.config.deployment import Measure
    from edgeflow.inspection.inspect import require_model
    from edgeflow.profiling.profile import profile as run

    plan = load_plan(config) if config != CONFIG or config.is_file() else None
    file = placed(model, results, plan.config if plan else None)
    require_model(file)
    known = plan.config.devices if plan else {}
    if device and device not in known:
        message = f"no device {device!r} in {config}; {did_you_mean(device, known)}"
        raise typer.BadParameter(message, param_hint="--device")
    where = plan.job("deploy", device=device).slice if plan and device else VIRTUAL
    board, applied = _board(plan, target, device), _recipe(plan, recipe)
    found = run(file, applied, board, where, Measure(runs=runs, warmup=warmup), seed)
    if as_json:
        print_json({"file": str(file), **found.record()})
        return
    for line in _lines(file, found):
        print(line)


def _board(plan: "Plan | None", target: str, device: str) -> "Board":
    """Return the target that is named, or that of the device."""
    from pydantic import ValidationError

    from edgeflow.bundle.signer import signer_of
    from edgeflow.plan import targets
    from edgeflow.profiling.bundle import Board
    from edgeflow.targets import registry

    name = target or (plan.config.devices[device].target if plan and device else "litert")
    if plan and name in plan.config.targets:
        return Board(
            name=name,
            target=targets.class_of(plan, name),
            options=plan.config.targets[name],
            host=targets.compile_host(plan, name),
            sign=signer_of(plan.config.signing),
        )
    if name not in registry.names():
        meant = did_you_mean(name, [*(plan.config.targets if plan else ()), *registry.names()])
        raise typer.BadParameter(f"no target {name!r}; {meant}", param_hint="--target")
    kind = registry.get(name)
    try:
        return Board(name=name, target=kind, options=kind.Options.model_validate({"kind": name}))
    except ValidationError as error:
        keys = ", ".join(".".join(map(str, one["loc"])) for one in error.errors())
        message = f"target kind {name!r} needs options ({keys}): name a target of a configuration"
        raise typer.BadParameter(message, param_hint="--target") from error


def _recipe(plan: "Plan | None", name: str) -> "Recipe":
    from edgeflow.config.recipe import Recipe
    from edgeflow.inspection.fits import known_recipes

    known = {**known_recipes(None), **(plan.config.recipes if plan else {})}
    if name and name not in known:
        meant = did_you_mean(name, known)
        raise typer.BadParameter(f"no recipe {name!r}; {meant}", param_hint="--recipe")
    return known[name] if name else Recipe()


def _lines(file: Path, found: "Profile") -> Iterator[str]:
    on = "a virtual device" if found.device == VIRTUAL["name"] else f"device {found.device}"
    yield f"{file} ({found.quantize}) for {found.target} on {on}, random samples"
    for line in found.figures:
        yield f"  {line.name:<22} {line.value:>14,.6g}  {line.kind:<10} {line.meaning}"
    yield f"  operators              {_places(found.operators)}"
    yield from _slowest(found)
    yield from (f"  {finding}" for finding in found.findings)
    yield "  {engine}, {cpu}, {machine}".format(**found.conditions)


def _slowest(found: "Profile") -> Iterator[str]:
    from edgeflow.report.layers import slowest

    for one in slowest(found.layers, most=5):
        layer = one.layer
        yield f"  {layer.name:<22} {layer.time_us:>11,.1f} us {one.share:10.1%}  {layer.kernel}"


def _places(operators: Mapping[str, Any]) -> str:
    return ", ".join(f"{count} on {place}" for place, count in operators.items()) or "not told"
