"""What each type of layer does with channels.

A rule returns the channels at the last axis of a layer's output, or None where it cannot tell.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from edgeflow.compress.channels.ties import Channels, Ties

# Functions of one value each; softmax mixes channels, so that none can go unnoticed.
ELEMENTWISE = frozenset(
    (
        *("elu", "exponential", "gelu", "hard_sigmoid", "leaky_relu", "linear", "mish", "relu"),
        *("relu6", "selu", "sigmoid", "softplus", "softsign", "swish", "tanh"),
    )
)
MAKERS = ("Conv1D", "Conv2D", "Dense", "SeparableConv2D")
ACTIVATIONS = ("Activation", "ELU", "LeakyReLU", "ReLU", "ThresholdedReLU")
NOISE = ("Dropout", "GaussianDropout", "GaussianNoise", "SpatialDropout1D", "SpatialDropout2D")
POOLS = ("AveragePooling", "GlobalAveragePooling", "MaxPooling", "GlobalMaxPooling")
SPATIAL = tuple(
    f"{what}{dimensions}D"
    for what in (*POOLS, "Cropping", "UpSampling", "ZeroPadding")
    for dimensions in (1, 2)
)
MERGES = ("Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract")


class Wire(NamedTuple):
    """A tensor between layers: its shape, with the batch, and its channels."""

    shape: Sequence[int | None]
    channels: Channels


Rule = Callable[[Ties, Any, Sequence[Wire]], Channels | None]


def follow(keras: Any, layer: Any, ties: Ties, wires: Sequence[Wire]) -> Channels | None:
    """Return the channels of a layer's output; ties those that the layer makes one.

    Returns:
        None for a layer of unknown type, or with options that mix or move channels.
    """
    rule = _rule(keras, layer)
    sized = bool(wires) and all(wire.channels.size for wire in wires)
    if rule is None or not sized or getattr(layer, "data_format", "") == "channels_first":
        return None
    if str(layer.get_config().get("activation", "linear")) not in ELEMENTWISE:
        return None
    return rule(ties, layer, wires)


def _rule(keras: Any, layer: Any) -> Rule | None:
    name = type(layer).__name__
    if name == "TFOpLambda":
        return OPERATORS.get(layer.get_config()["function"])
    is_of_keras = type(layer) is getattr(keras.layers, name, None)
    return RULES.get(name) if is_of_keras else None


def _makes(ties: Ties, layer: Any, _wires: Sequence[Wire]) -> Channels | None:
    if getattr(layer, "groups", 1) != 1:
        return None
    return ties.open(int(layer.output_shape[-1]))


def _passes(_ties: Ties, _layer: Any, wires: Sequence[Wire]) -> Channels | None:
    return wires[0].channels if len(wires) == 1 else None


def _normalizes(ties: Ties, layer: Any, wires: Sequence[Wire]) -> Channels | None:
    return _passes(ties, layer, wires) if list(layer.axis) == [len(wires[0].shape) - 1] else None


def _bends(ties: Ties, layer: Any, wires: Sequence[Wire]) -> Channels | None:
    one_slope_each = layer.alpha.shape[-1] == len(wires[0].channels)
    return _passes(ties, layer, wires) if one_slope_each else None


def _filters_each(_ties: Ties, layer: Any, wires: Sequence[Wire]) -> Channels | None:
    return np.repeat(wires[0].channels, layer.depth_multiplier)


def _ties_together(ties: Ties, _layer: Any, wires: Sequence[Wire]) -> Channels | None:
    if len(wires) < 2 or len({len(wire.shape) for wire in wires}) > 1:
        return None
    widest = max((wire.channels for wire in wires), key=len)
    for _, channels in wires:
        if len(channels) == len(widest):  # else one that is broadcast, as in spatial attention
            ties.tie(widest, channels)
    return widest


def _strings_together(ties: Ties, layer: Any, wires: Sequence[Wire]) -> Channels | None:
    if layer.axis in (-1, len(wires[0].shape) - 1):
        return np.concatenate([wire.channels for wire in wires])
    return _ties_together(ties, layer, wires)


def _reshapes(_ties: Ties, layer: Any, wires: Sequence[Wire]) -> Channels | None:
    shape, channels = wires[0]
    inner, target = [size for size in shape[1:-1] if size], layer.output_shape[1:]
    if len(inner) < len(shape) - 2 or None in target:
        return None
    if target[-1] == len(channels):
        return channels
    # Row-major order: the channels of one place after those of another.
    return np.tile(channels, math.prod(inner)) if len(target) == 1 else None


RULES: dict[str, Rule] = {
    **dict.fromkeys(MAKERS, _makes),
    **dict.fromkeys(ACTIVATIONS + NOISE + SPATIAL, _passes),
    **dict.fromkeys(MERGES, _ties_together),
    "BatchNormalization": _normalizes,
    "Concatenate": _strings_together,
    "DepthwiseConv2D": _filters_each,
    "Flatten": _reshapes,
    "PReLU": _bends,
    "Reshape": _reshapes,
}

OPERATORS: dict[str, Rule] = {
    **dict.fromkeys(("nn.relu", "nn.relu6"), _passes),
    **dict.fromkeys(("__operators__.add", "math.add", "math.subtract"), _ties_together),
    **dict.fromkeys(("math.multiply", "math.maximum", "math.minimum"), _ties_together),
}
"""Of tensors: `x + y` in an architecture becomes a layer too."""
