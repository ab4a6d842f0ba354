"""Whether recipes fit: the targets they are deployed to, and the names that they refer to."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from edgeflow.config.finding import Finding
from edgeflow.config.modelfile import quantization
from edgeflow.config.names import missing
from edgeflow.config.raw import Entry, deployments, entries, once, targets_of
from edgeflow.config.recipe import INT8, Recipe
from edgeflow.config.sourcefile import file_of
from edgeflow.config.target import capabilities_of_entry, target_classes


def recipe_references(raw: Entry) -> Iterator[Finding]:
    """Yield names in recipes that stand for nothing, or for what cannot be meant."""
    known = valid_recipes(raw)
    for name, recipe in known.items():
        keys = ("recipes", name)
        if recipe.distill:
            teacher = recipe.distill.teacher
            yield from missing(raw, "models", teacher, (*keys, "distill", "teacher"))
        for position, other in enumerate(recipe.auto.recipes if recipe.auto else ()):
            here = (*keys, "auto", "recipes", position)
            yield from missing(raw, "recipes", other, here)
            if other in known and known[other].auto:
                message = f"recipe {other!r} chooses among recipes itself"
                yield Finding(keys=here, message=message, hint="name what it tries instead")
    yield from _teachers_of_other_data(raw, known)


def unfit(raw: Entry) -> Iterator[Finding]:
    """Yield deployments whose recipe a target kind cannot take; of `auto`, each that it tries."""
    known = valid_recipes(raw)
    for keys, deployment, _ in deployments(raw):
        name, reasons = deployment.get("recipe"), dict[str, str]()
        source = file_of(raw, deployment.get("model"))
        if source and quantization(source):
            continue  # the file decides, not the recipe: see `sourcecheck`
        for title, capabilities in _takers(raw, deployment).items():
            for tried, recipe in candidates(known, name).items():
                which = "a recipe" if tried == name else f"{tried!r}, which {name!r} tries,"
                for asked, hint in clashes(recipe, capabilities):
                    reasons[f"{title} cannot take {which} with {asked}"] = hint
        if reasons:
            # One finding: of several at one place only the first would be told.
            hint = "; ".join(dict.fromkeys(reasons.values()))
            yield Finding(keys=(*keys, "recipe"), message="; ".join(reasons), hint=hint)


def _takers(raw: Entry, deployment: Entry) -> dict[str, Any]:
    """Return what the targets of a deployment take, by what messages call them.

    That is their kind, but for those that take less by their options.
    """
    classes, found = target_classes(), dict[str, Any]()
    for name in targets_of(raw, deployment):
        entry = entries(raw, "targets").get(name, {})
        target = classes.get(str(entry.get("kind")))
        if target is None:
            continue
        capabilities = capabilities_of_entry(target, entry)
        narrowed = capabilities != target.capabilities
        title = f"target {name!r} with its options" if narrowed else f"target kind {target.name!r}"
        found[title] = capabilities
    return dict(sorted(found.items()))


def candidates(known: Mapping[str, Recipe], name: object) -> dict[str, Recipe]:
    """Return a recipe by its name; of one with `auto`, those that it tries."""
    recipe = known.get(name) if isinstance(name, str) else None
    if recipe is None:
        return {}
    if recipe.auto is None:
        return {str(name): recipe}
    plain = {other: r for other, r in known.items() if r.auto is None}
    chosen = recipe.auto.recipes or plain
    return {other: plain[other] for other in chosen if other in plain}


def clashes(recipe: Recipe, capabilities: Any) -> Iterator[tuple[str, str]]:
    """Yield what a recipe asks that a target has not, each with what there is."""
    asked: dict[str, tuple[str, frozenset[str]]] = {
        "quantize": (recipe.quantize, capabilities.quantize)
    }
    if recipe.quantize in INT8:
        asked["io"] = (recipe.io, capabilities.io)
    if recipe.quantize == "ptq-int8":
        asked["calibration.method"] = (recipe.calibration.method, capabilities.calibration)
    if recipe.quantize == "hgq":
        asked["hgq.activations"] = (recipe.hgq.activations, capabilities.activations)
    for key, (value, accepted) in asked.items():
        if value not in accepted:
            what = "it takes" if key == "quantize" else f"{key} may be"
            yield f"{key}: {value}", f"{what}: {', '.join(sorted(accepted)) or 'nothing'}"
    if recipe.keep_float is not None and not capabilities.keep_float:
        yield "keep_float", "all layers must be integers there"


def _teachers_of_other_data(raw: Entry, known: Mapping[str, Recipe]) -> Iterator[Finding]:
    models = entries(raw, "models")
    for keys, deployment, _ in deployments(raw):
        model = deployment.get("model")
        student = models.get(model) if isinstance(model, str) else None
        for recipe in candidates(known, deployment.get("recipe")).values():
            if student is None or recipe.distill is None or recipe.distill.teacher not in models:
                continue
            teacher = recipe.distill.teacher
            own, other = student.get("dataset"), models[teacher].get("dataset")
            if own != other:
                message = f"model {model!r} is of dataset {own!r}, and its teacher of {other!r}"
                hint = f"learn from a model of {own!r}, not from {teacher!r}"
                yield Finding(keys=(*keys, "model"), message=message, hint=hint)


@once
def valid_recipes(raw: Entry) -> Mapping[str, Recipe]:
    """Return the recipes that are valid by themselves."""
    found: dict[str, Recipe] = {}
    for name, entry in entries(raw, "recipes").items():
        try:
            found[name] = Recipe.model_validate(entry)
        except ValidationError:
            continue  # its section reports it
    return found
