"""The recipes that a network is held against before it is trained."""

from collections.abc import Mapping

from edgeflow.config.finding import Keys
from edgeflow.config.fit import valid_recipes
from edgeflow.config.raw import Entry, deployments, once
from edgeflow.config.recipe import Recipe


def deployed_recipes(raw: Entry, model: str) -> dict[str, Recipe]:
    """Return the recipes that a model is deployed with, by name.

    Those that `auto` tries are left out: it passes over what a network cannot take.
    """
    names = {entry.get("recipe") for _, entry in deployed(raw).get(model, [])}
    return {n: r for n, r in valid_recipes(raw).items() if n in names and r.auto is None}


@once
def deployed(raw: Entry) -> Mapping[str, list[tuple[Keys, Entry]]]:
    """Return keys and entries of the deployments of each model whose recipe has a name."""
    found: dict[str, list[tuple[Keys, Entry]]] = {}
    for keys, entry, _ in deployments(raw):
        model, recipe = entry.get("model"), entry.get("recipe")
        if isinstance(model, str) and isinstance(recipe, str):
            found.setdefault(model, []).append((keys, entry))
    return found
