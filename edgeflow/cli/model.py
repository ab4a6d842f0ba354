"""Commands about model files."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeflow import paths
from edgeflow.cli.profile import profile
from edgeflow.cli.project import CONFIG, RESULTS, ConfigFile, Json, Results, print_json
from edgeflow.config.base import NAME_PATTERN

if TYPE_CHECKING:
    from edgeflow.config.root import Config
    from edgeflow.inspection.facts import ModelFacts
    from edgeflow.inspection.inspect import Inspection

app = typer.Typer(help="Look into model files, and measure them.", no_args_is_help=True)


app.command()(profile)


@app.command()
def inspect(
    model: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="A .tflite, .onnx, .h5 or .keras file, a SavedModel's folder; or MODEL or "
            "MODEL/RECIPE of this project's results.",
        ),
    ],
    config: ConfigFile = CONFIG,
    results: Results = RESULTS,
    as_json: Json = False,
) -> None:
    """Say what is in a model: tensors, operators, parameters, MACs; what recipes and targets fit.

    With a configuration these are its own, otherwise each value of `quantize` and each kind.
    """
    from edgeflow.inspection.inspect import inspect as look

    known = _config(config)
    found = look(_place(model, results, known), known)
    if as_json:
        print_json(found.record())
        return
    for line in _lines(found):
        print(line)


def _config(path: Path) -> "Config | None":
    from edgeflow.config.load import load_file

    return load_file(path) if path != CONFIG or path.is_file() else None


def _place(model: str, results: Path, config: "Config | None") -> Path:
    """Return the file that is meant: one of that name, or that of a model of the configuration."""
    from edgeflow.config.modelfile import FORMS, kind_of

    given = Path(model).expanduser()
    found = next(
        (one for one in (given, *_of_project(model, results, config)) if one.exists()), None
    )
    if found is None:
        message = f"no file {model}, and no such model in {results}"
        raise typer.BadParameter(message, param_hint="FILE")
    if kind_of(found) is None:
        raise typer.BadParameter(f"{found} is no model file: {FORMS}", param_hint="FILE")
    return found


def _of_project(model: str, results: Path, config: "Config | None") -> Iterator[Path]:
    """Yield where MODEL or MODEL/RECIPE may lie: what the user brought, or what a build made."""
    name, slash, recipe = model.partition("/")
    if not all(re.fullmatch(NAME_PATTERN, one) for one in (name, recipe)[: 1 + len(slash)]):
        return
    if recipe:
        yield results / paths.RECIPE.format(model=name, recipe=recipe) / "model.tflite"
        return
    section = config.models.get(name) if config else None
    if section is not None and section.source is not None:
        yield Path(section.source).expanduser()
    yield results / paths.BASELINE.format(model=name) / "model.h5"


def _lines(found: "Inspection") -> Iterator[str]:
    facts = found.facts
    yield f"{found.path}: {facts.format}, {facts.size_bytes:,} bytes, quantize: {facts.quantize}"
    yield from (f"  input   {tensor}" for tensor in facts.inputs)
    yield from (f"  output  {tensor}" for tensor in facts.outputs)
    yield f"parameters: {facts.parameters:,}"
    yield from _work(facts)
    yield from (f"note: {note}" for note in facts.notes)
    yield "recipes:"
    for fit in found.recipes:
        yield f"  {fit.recipe}: {'no: ' + fit.reason if fit.reason else 'yes'}"
    yield "targets:"
    for target in found.targets:
        title = (
            target.target if target.target == target.kind else f"{target.target} ({target.kind})"
        )
        yield f"  {title}: takes {', '.join(target.takes) or 'none of them'}"
        yield from (f"    not {name}: {reason}" for name, reason in target.refuses.items())
        yield from (f"    {finding}" for finding in target.findings)


def _work(facts: "ModelFacts") -> Iterator[str]:
    yield f"MACs of one sample: {sum(facts.macs.values()):,}"
    for kind, macs in facts.macs.items():
        yield f"  {macs:>15,}  {facts.operators[kind]} {kind}"
    yield f"  not counted: {_counts(facts.not_counted) or 'nothing'}"
    if facts.weights:
        yield f"weights: {_counts(facts.weights)}"
    if facts.in_float:
        yield f"in float among integers: {_counts(facts.in_float)}"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())
