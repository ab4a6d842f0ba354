"""Networks in the form in which tfmot's pruning and clustering train them."""

from collections.abc import Callable
from typing import Any

from edgeflow.compress.network import Network
from edgeflow.console import say
from edgeflow.errors import CompileError


def kernels(layer: Any) -> list[Any]:
    """Return the weights of a layer that are no vectors: what can be pruned or clustered."""
    return [weight for weight in layer.trainable_weights if weight.shape.rank > 1]


def wrapped(
    network: Network, stage: str, wrap: Callable[[Any], Any], takes: Callable[[Any], bool]
) -> Any:
    """Return the network's model with all layers wrapped that tfmot takes.

    The others stay as they are: arithmetic on tensors, layers that tfmot does not know, kernels
    with too few weights to share. Those with kernels are named in the log.

    Args:
        network: its model shares its weights with the result.
        stage: for messages.
        wrap: returns the wrapped form of a layer.
        takes: says whether a layer with kernels can be wrapped.

    Raises:
        CompileError: no layer can.
    """
    keras = network.keras
    taken: list[str] = []
    left: list[str] = []

    def form(layer: Any) -> Any:
        if isinstance(layer, keras.Model):
            return keras.models.clone_model(layer, clone_function=form)
        if not layer.weights:
            return layer.__class__.from_config(layer.get_config())
        if not kernels(layer):
            return layer
        fits = takes(layer)
        (taken if fits else left).append(layer.name)
        return wrap(layer) if fits else layer

    model = keras.models.clone_model(network.model, clone_function=form)
    if not taken:
        raise CompileError(
            f"{network.title}: no layer has weights that `{stage}` can work on",
            hint=f"leave `{stage}` out of the recipe; it takes dense, recurrent and ordinary "
            "convolutional layers with more than a few weights",
        )
    if left:
        say(f"{network.title}: {stage} leaves these layers as they are: {', '.join(left)}")
    return model
