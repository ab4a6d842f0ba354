"""Model files that a configuration names: opened, and held against their datasets."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeflow.check.networks import known_facts
from edgeflow.check.sections import valid_models
from edgeflow.check.suits import deployed, deployed_recipes
from edgeflow.config.finding import Finding
from edgeflow.config.modelfile import files_of, kind_of, trains
from edgeflow.config.neighbours import is_there
from edgeflow.config.pointer import pointer
from edgeflow.dataset.view import DatasetFacts
from edgeflow.errors import CompileError
from edgeflow.imported.ends import Inputs, Outputs


@dataclass(frozen=True, kw_only=True, slots=True)
class _File:
    """A model file that is there, with what is to be imported of it, and for what."""

    model: str
    path: Path
    facts: DatasetFacts | None
    input: Inputs
    output: Outputs

    def refusal(self) -> CompileError | None:
        from edgeflow.imported.inspection import refusal

        return refusal(self.path, self.facts, self.input, self.output)

    def finding(self, error: CompileError) -> Finding:
        keys = ("models", self.model, "source")
        return Finding(keys=keys, message=error.message, hint=error.hint)


def check_models(raw: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield the model files that an import would refuse, as far as they themselves tell."""
    for file in _files(raw):
        error = file.refusal()
        if error is not None:
            yield file.finding(error)


def check_keras(raw: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield the files of Keras 2 that, loaded here, do not fit their dataset or their recipes."""
    for file in _files(raw):
        if file.facts is None or not trains(file.path) or file.refusal() is not None:
            continue
        from edgeflow.imported.from_keras import fitted
        from edgeflow.train.keras import load_keras

        try:
            keras = load_keras(seed=0)
            _, outputs, _ = fitted(keras, file.path, file.facts, file.input, file.output)
        except CompileError as error:
            yield file.finding(error)
        else:
            yield from _untrainable(raw, file.model, outputs)


def _untrainable(raw: Mapping[str, Any], model: str, outputs: list[str]) -> Iterator[Finding]:
    """Yield the deployments whose recipe trains a model on whose other outputs have no truth."""
    recipes = deployed_recipes(raw, model)
    for keys, entry in deployed(raw).get(model, []):
        recipe = recipes.get(entry["recipe"])
        if recipe is not None and recipe.stages() and len(outputs) > 1:
            yield Finding(
                keys=(*keys, "recipe"),
                message=f"the recipe trains ({', '.join(recipe.stages())}), and the dataset has "
                f"the truth of one of the {len(outputs)} outputs: {', '.join(outputs)}",
                hint=f"only quantize the model, or set `output: {outputs[0]}` of it",
            )


def _files(raw: Mapping[str, Any]) -> Iterator[_File]:
    """Yield the model files that are there; what else is wrong with the others is told already."""
    for name, model in valid_models(raw).items():
        path = Path(model.source).expanduser() if model.source and not model.architecture else None
        if path is None or not is_there(path) or kind_of(path) is None:
            continue
        if any(pointer(file) for file in files_of(path)):
            continue
        facts = known_facts(raw, model.dataset)
        yield _File(model=name, path=path, facts=facts, input=model.input, output=model.output)
