"""A network of the channels that stay, with their weights."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeflow.compress.channels.groups import Layout

Mask = NDArray[np.bool_]


def rebuild(keras: Any, model: Any, layout: Layout, kept: Mask) -> Any:
    """Return a new network, of the same names, without the channels that are not `kept`."""
    inputs = {name: kept[channels] for name, channels in layout.inputs.items()}
    outputs = {name: kept[channels] for name, channels in layout.outputs.items()}

    def resized(layer: Any) -> Any:
        config = layer.get_config()
        if layer.name in outputs:
            config.update(_sizes(layer, config, int(outputs[layer.name].sum())))
            # One of given values fits the old size alone; all weights are set below.
            config.update({key: "zeros" for key in config if key.endswith("_initializer")})
        return type(layer).from_config(config)

    small = keras.models.clone_model(model, clone_function=resized)
    for layer in model.layers:
        weights = layer.get_weights()
        if layer.name in outputs:
            names = [variable.name for variable in layer.weights]
            masks = inputs[layer.name], outputs[layer.name]
            weights = [_slice(*pair, *masks) for pair in zip(names, weights, strict=True)]
        small.get_layer(layer.name).set_weights(weights)
    return small


def mute(keras: Any, model: Any, layout: Layout, kept: Mask) -> Any:
    """Return a copy of the network in which no layer reads channels that are not `kept`."""
    muted = keras.models.clone_model(model)
    for layer in model.layers:
        weights = layer.get_weights()
        if layer.name in layout.inputs:
            names = [variable.name for variable in layer.weights]
            inputs = kept[layout.inputs[layer.name]]
            weights = [_mute(*pair, inputs) for pair in zip(names, weights, strict=True)]
        muted.get_layer(layer.name).set_weights(weights)
    return muted


def _mute(name: str, weights: NDArray[Any], inputs: Mask) -> NDArray[Any]:
    match name.rpartition("/")[2].removesuffix(":0"):
        case "kernel":
            reads = inputs
        case "pointwise_kernel":
            reads = np.repeat(inputs, weights.shape[-2] // len(inputs))
        case _:
            return weights
    return np.where(reads[:, None], weights, 0)


def _sizes(layer: Any, config: dict[str, Any], width: int) -> dict[str, Any]:
    if "target_shape" in config:
        return {"target_shape": (*layer.output_shape[1:-1], width)}
    return {key: width for key in ("filters", "units") if key in config}


def _slice(name: str, weights: NDArray[Any], inputs: Mask, outputs: Mask) -> NDArray[Any]:
    """Return the part of a layer's weights between the inputs and outputs that stay."""
    match name.rpartition("/")[2].removesuffix(":0"):
        case "kernel":
            return weights[..., inputs, :][..., outputs]
        case "depthwise_kernel":
            return weights[..., inputs, :]
        case "pointwise_kernel":
            multiplier = weights.shape[-2] // len(inputs)
            return weights[..., np.repeat(inputs, multiplier), :][..., outputs]
        case _:  # one value for each output
            return weights[..., outputs]
