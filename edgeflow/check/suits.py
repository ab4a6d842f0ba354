"""Recipes that a network built once cannot go through, however it is trained."""

from collections.abc import Iterator, Mapping
from typing import Any

from edgeflow.config.finding import Keys
from edgeflow.config.fit import valid_recipes
from edgeflow.config.raw import Entry, deployments, once
from edgeflow.config.recipe import Recipe
from edgeflow.errors import CompileError


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


def refusals(
    keras: Any, network: Any, recipes: Mapping[str, Recipe]
) -> Iterator[tuple[str, CompileError]]:
    """Yield the recipes with a stage that cannot take a network, by name, each with the reason."""
    from edgeflow.compress.suits import require_suited

    if not getattr(network, "_is_graph_network", False):
        return  # a subclass of keras.Model shows no layers before it has run
    for name, recipe in recipes.items():
        try:
            require_suited(f"recipe {name!r}", keras, network, recipe)
        except CompileError as error:
            yield name, error
        except Exception:  # noqa: S112 -- a user's own layer may raise anything when copied
            continue
