"""Problems of models that the user brings: the file, and the recipes that do not fit it.

Works on raw values, as `crosscheck` does.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from edgeflow.config.finding import Finding, Keys, closest
from edgeflow.config.modelfile import FORMS, files_of, kind_of, misfit, quantization, trains
from edgeflow.config.neighbours import at_home, not_there
from edgeflow.config.pointer import pointer
from edgeflow.config.raw import Entry, deployments, entries, kinds_of
from edgeflow.config.recipe import Recipe
from edgeflow.config.sourcefile import file_of
from edgeflow.config.target import target_classes


def check_sources(raw: Mapping[str, Any]) -> list[Finding]:
    """Return every problem with `source` in the models of a raw configuration."""
    found = [
        finding
        for name, entry in entries(raw, "models").items()
        for finding in _of_model(entry, ("models", name))
    ]
    return [*found, *_of_deployments(raw), *_of_teachers(raw)]


def _of_model(entry: Entry, keys: Keys) -> Iterator[Finding]:
    ways = ("architecture", "source")
    given = [way for way in ways if entry.get(way) is not None]
    slips = [key for key in entry if isinstance(key, str) and key not in ways]
    if len(given) == 2:
        message = "a model has an `architecture` to train or a `source` to import, not both"
        yield Finding(keys=(*keys, "source"), message=message, see=(*keys, "architecture"))
    elif not given and not any(closest(way, slips) for way in ways):
        hint = "`architecture` for a network to train, `source` for a model file to import"
        yield Finding(keys=keys, message="neither `architecture` nor `source`", hint=hint)
    elif given == ["architecture"]:
        for key in ("input", "output"):
            if key in entry:
                message = "only a model file has several to choose from"
                yield Finding(keys=(*keys, key), message=message, hint=f"leave `{key}` out")
    elif isinstance(entry.get("source"), str):
        yield from _of_file(at_home(entry["source"]), entry, keys)


def _of_file(path: Path, entry: Entry, keys: Keys) -> Iterator[Finding]:
    here = (*keys, "source")
    missing = list(not_there(path, here))
    yield from missing
    if missing:
        return
    pointers = [f"{file} is only {what}" for file in files_of(path) if (what := pointer(file))]
    if pointers:
        yield Finding(keys=here, message=pointers[0])
    elif kind_of(path) is None:
        yield Finding(keys=here, message=f"{str(path)!r} is no model file", hint=FORMS)
    elif "train" in entry and not trains(path):
        message = f"{path} cannot be trained on"
        hint = "only a model of Keras 2 can; leave `train` out"
        yield Finding(keys=(*keys, "train"), message=message, hint=hint)


def _of_deployments(raw: Entry) -> Iterator[Finding]:
    """Yield recipes and targets that a deployment's model file does not fit."""
    for keys, entry, _ in deployments(raw):
        path = file_of(raw, entry.get("model"))
        if path is None:
            continue
        for name, recipe in _tried(raw, entry.get("recipe")):
            reason = misfit(path, recipe)
            if reason:
                where = "" if name == entry.get("recipe") else f"it tries {name!r}: "
                message, hint = where + reason, "see docs/models.md"
                yield Finding(keys=(*keys, "recipe"), message=message, hint=hint)
                break
        kinds = sorted(kinds_of(raw, entry))
        yield from _of_targets(path, kinds, (*keys, "model"))
        yield from _without_layers(path, kinds, (*keys, "model"))


def _of_targets(path: Path, kinds: list[str], keys: Keys) -> Iterator[Finding]:
    """Yield target kinds that want the float network of a file that is quantized."""
    given = quantization(path) if kind_of(path) == "tflite" else {}
    targets = target_classes() if given else {}
    for kind in kinds:
        if kind in targets and given["quantize"] not in targets[kind].capabilities.quantized_source:
            message = f"target kind {kind!r} cannot take a .tflite that is quantized already"
            hint = f"{path} is {given['quantize']}; bring the float model"
            yield Finding(keys=keys, message=message, hint=hint)


def _without_layers(path: Path, kinds: list[str], keys: Keys) -> Iterator[Finding]:
    """Yield target kinds that want the layers of a network, which the file has not."""
    targets = target_classes()
    for kind in kinds:
        if kind in targets and targets[kind].capabilities.layers and not trains(path):
            message = (
                f"target kind {kind!r} needs a network in layers of Keras 2, which {path} is not"
            )
            hint = "bring the .h5 file of Keras 2, or train the model here"
            yield Finding(keys=keys, message=message, hint=hint)


def _of_teachers(raw: Entry) -> Iterator[Finding]:
    for name, entry in entries(raw, "recipes").items():
        distill = entry.get("distill")
        teacher = distill.get("teacher") if isinstance(distill, Mapping) else None
        path = file_of(raw, teacher)
        if path is not None and not trains(path):
            message = f"{teacher!r} comes from {path} and cannot teach"
            hint = "a teacher is trained here, or a model of Keras 2"
            yield Finding(keys=("recipes", name, "distill", "teacher"), message=message, hint=hint)


def _tried(raw: Entry, name: object) -> Iterator[tuple[str, Recipe]]:
    """Yield a recipe, or those that it tries, by name; none that is invalid in itself."""
    recipes = entries(raw, "recipes")
    recipe = _recipe(recipes.get(name)) if isinstance(name, str) else None
    if recipe is None:
        return
    if recipe.auto is None:
        yield str(name), recipe
        return
    for other in recipe.auto.recipes or recipes:
        candidate = _recipe(recipes.get(other))
        if candidate is not None and candidate.auto is None:
            yield other, candidate


def _recipe(entry: object) -> Recipe | None:
    try:
        return None if entry is None else Recipe.model_validate(entry)
    except ValidationError:
        return None
