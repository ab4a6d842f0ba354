"""Networks built once, as their training would, for the shapes that are known before."""

from collections.abc import Iterator, Mapping
from typing import Any

from edgeflow.artifact.hashing import sha256_json
from edgeflow.check.peek import peek
from edgeflow.check.sections import valid_datasets, valid_models
from edgeflow.check.suits import deployed, deployed_recipes
from edgeflow.compress.suits import refusals
from edgeflow.config.finding import Finding, Keys
from edgeflow.config.model import Architecture
from edgeflow.config.networkcheck import check_networks
from edgeflow.config.raw import Entry, once
from edgeflow.config.recipe import Recipe
from edgeflow.config.samples import Affine
from edgeflow.dataset.view import DatasetFacts, InputFacts
from edgeflow.errors import CompileError, DataError, TrainingError

_Problem = tuple[str | None, TrainingError | CompileError]
"""What a network cannot go through: a recipe by name, or None for the build itself."""


def check_builds(raw: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield models whose architecture cannot be built, and deployments whose recipe it cannot take.

    Equal architectures with the same recipes are built once.
    """
    problems = dict[str, list[_Problem]]()
    told = {finding.keys[1] for finding in check_networks(raw)}
    for name, model in valid_models(raw).items():
        if name in told or model.architecture is None:
            continue
        facts, recipes = known_facts(raw, model.dataset), deployed_recipes(raw, name)
        parts = [one and one.model_dump(mode="json") for one in (model.architecture, facts)]
        key = sha256_json([*parts, sorted(recipes)])
        if key not in problems:
            problems[key] = list(_problems(model.architecture, facts, recipes))
        for recipe, error in problems[key]:
            see: Keys = ("models", name, "architecture") if recipe else ()
            for keys in _places(raw, name, recipe):
                yield Finding(keys=keys, message=error.message, hint=error.hint, see=see)


def _places(raw: Mapping[str, Any], model: str, recipe: str | None) -> Iterator[Keys]:
    """Yield the keys of a model's architecture, or of its deployments with a recipe."""
    if recipe is None:
        yield ("models", model, "architecture")
        return
    for keys, entry in deployed(raw).get(model, []):
        if entry["recipe"] == recipe:
            yield (*keys, "recipe")


@once
def known_facts(raw: Entry, dataset: str) -> DatasetFacts | None:
    """Return a dataset's facts as they are known before it is built, or None if they are not."""
    section = valid_datasets(raw).get(dataset)
    try:
        seen = peek(section) if section else None
    except DataError:  # among the files' findings
        return None
    if section is None or seen is None:
        return None
    return DatasetFacts(
        labels=section.labels or [str(number) for number in range(seen.labels)],
        inputs={
            name: InputFacts(shape=list(shape), dtype="float32", preprocess=Affine(scale=1.0))
            for name, shape in seen.inputs.items()
        },
        task=section.task,
        decoding={},  # networks do not depend on it
        counts={},
    )


def _problems(
    architecture: Architecture, facts: DatasetFacts | None, recipes: Mapping[str, Recipe]
) -> Iterator[_Problem]:
    from edgeflow.train.keras import load_keras
    from edgeflow.train.network import build_network, import_builder

    try:
        if facts is None:
            import_builder(architecture)
            return
        keras = load_keras(seed=0)
        network = build_network(keras, facts, architecture)
    except TrainingError as error:
        yield None, error
        return
    yield from refusals(keras, network, recipes)
