"""Whether a network suits the stages of a recipe, told before anything trains."""

from collections.abc import Iterator, Mapping
from typing import Any

from edgeflow.compress.channels.remove import require_removable
from edgeflow.compress.hgq import read as hgq
from edgeflow.compress.plain import plain
from edgeflow.compress.qat import require_known
from edgeflow.config.recipe import Recipe
from edgeflow.errors import CompileError


def require_suited(title: str, keras: Any, model: Any, recipe: Recipe) -> None:
    """Refuse a network that a stage of a recipe cannot take.

    Args:
        title: model and recipe, for messages.
        keras: the Keras module that made the model.
        model: trained or not; it is left as it is.
        recipe: what the network is to go through.

    Raises:
        CompileError: a stage cannot take the network; it names the layers.
    """
    if recipe.prune_channels:
        require_removable(keras, model)
    if recipe.quantize == "qat-int8":
        require_known(title, keras, plain(keras, model))
    if recipe.quantize == "hgq":
        hgq.require_known(title, keras, model)


def refusals(
    keras: Any, network: Any, recipes: Mapping[str, Recipe]
) -> Iterator[tuple[str, CompileError]]:
    """Yield the recipes with a stage that cannot take a network, by name, each with the reason."""
    if not getattr(network, "_is_graph_network", False):
        return  # a subclass of keras.Model shows no layers before it has run
    for name, recipe in recipes.items():
        try:
            require_suited(f"recipe {name!r}", keras, network, recipe)
        except CompileError as error:
            yield name, error
        except Exception:  # noqa: S112 -- a user's own layer may raise anything when copied
            continue
