"""Commands about model files."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import typer

from edgeflow.cli.place import ModelFile, own_config, placed
from edgeflow.cli.profile import profile
from edgeflow.cli.project import CONFIG, RESULTS, ConfigFile, Json, Results, print_json

if TYPE_CHECKING:
    from edgeflow.inspection.facts import ModelFacts
    from edgeflow.inspection.inspect import Inspection

app = typer.Typer()


app.command()(profile)


@app.command()
def inspect(
    model: ModelFile,
    config: ConfigFile = CONFIG,
    results: Results = RESULTS,
    as_json: Json = False,
) -> None:
    """Say what is in a model: tensors, operators, parameters, MACs; what recipes and targets fit.

    With a configuration these are its own, otherwise each value of `quantize` and each kind.
    """
    from edgeflow.inspection.inspect import inspect as look

    known = own_config(config)
    found = look(placed(model, results, known), known)
    if as_json:
        print_json(found.record())
        return
    for line in _lines(found):
        print(line)


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
    needs = {target.kind: target.needs for target in found.targets if target.needs}
    yield from (f"for {kind} it {said}" for kind, said in needs.items())


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
