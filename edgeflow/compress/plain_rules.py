"""How layers that tfmot does not know are written in layers that it does.

A rule gets the walk, a layer and its new inputs; it returns the new output, or None for a copy.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np

Rule = Callable[[Any, Any, Sequence[Any], Mapping[str, Any]], Any]

ELEMENTWISE = frozenset(
    {"Activation", "BatchNormalization", "Dropout", "LeakyReLU", "ReLU", "Softmax"}
)
"""Layers that do the same with another shape of the same channels."""

FUSED = ("linear", "relu", "softmax")
"""Activations that tfmot rounds within the layer that they belong to."""

RANKS = (2, 3, 4)
"""Dimensions, batch included, of what `_scaled` takes."""

CONVOLUTIONS = ("Conv1D", "Conv2D", "DepthwiseConv2D", "SeparableConv2D")
"""Layers with which tfmot takes a batch normalization behind them."""

NOISE = (
    *("GaussianNoise", "GaussianDropout", "AlphaDropout", "ActivityRegularization"),
    *(f"Random{what}" for what in ("Brightness", "Contrast", "Crop", "Flip", "Rotation")),
    *(f"Random{what}" for what in ("Height", "Translation", "Width", "Zoom")),
)


def _operator(walk: Any, layer: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Write a function of TensorFlow as a layer."""
    function = layer.get_config()["function"].rpartition(".")[2]
    values = [*args, *(v for k, v in kwargs.items() if k in ("x", "y", "a", "b"))]
    options = {key: v for key, v in kwargs.items() if key != "name" and v is not None}
    if function in _MERGES and len(values) == 2:
        return _merge(walk, function, *values)
    x, *rest = args or [options.pop(next(iter(options)))]
    if function in _ACTIVATIONS and not rest and options.get("axis", -1) == -1:
        return activated(walk, x, _ACTIVATIONS[function])
    if function == "leaky_relu":
        return walk.add("LeakyReLU", x, alpha=options.get("alpha", (*rest, 0.2)[0]))
    if function == "negative":
        return _scaled(walk, x, -1.0, 0.0)
    if function == "concat":
        return walk.add("Concatenate", x, axis=options.get("axis", (*rest, -1)[0]))
    if function == "reduce_mean" and _is_map(x, options.get("axis", (*rest, None)[0])):
        return walk.add("GlobalAveragePooling2D", x, keepdims=bool(options.get("keepdims")))
    return None


_MERGES = {
    **dict.fromkeys(("add", "AddV2"), "Add"),
    **dict.fromkeys(("subtract", "sub"), "Subtract"),
    **dict.fromkeys(("multiply", "mul"), "Multiply"),
    **dict.fromkeys(("divide", "truediv"), ""),
    "maximum": "Maximum",
    "minimum": "Minimum",
}
_ACTIVATIONS = {
    **{name: name for name in ("relu", "relu6", "sigmoid", "tanh", "gelu", "softmax")},
    **dict.fromkeys(("silu", "swish"), "swish"),
}


def _is_map(x: Any, axes: Any) -> bool:
    """Return whether axes are height and width."""
    rank = len(x.shape)
    return rank == 4 and axes is not None and {axis % rank for axis in np.ravel(axes)} == {1, 2}


def _merge(walk: Any, function: str, one: Any, other: Any) -> Any:
    kind = _MERGES[function]
    if _is_tensor(one) and _is_tensor(other):
        same = len(one.shape) == len(other.shape)
        return walk.add(kind, [one, other]) if kind and same else None
    x, number, first = (one, other, True) if _is_tensor(one) else (other, one, False)
    if np.ndim(number):
        return None
    scaled: dict[str, tuple[float, float]] = {
        "Add": (1.0, number),
        "Subtract": (1.0, -number) if first else (-1.0, number),
        "Multiply": (number, 0.0),
        **({"": (1 / number, 0.0)} if first and number else {}),
    }
    if kind not in scaled:
        return None
    scale, offset = scaled[kind]
    return _scaled(walk, x, scale, offset)


def _is_tensor(value: Any) -> bool:
    return hasattr(value, "_keras_history")


def activated(walk: Any, x: Any, activation: str, name: str = "") -> Any:
    """Return an activation of its own of `x`."""
    if activation in ("relu", "relu6"):
        return walk.add("ReLU", x, max_value=6.0 if activation == "relu6" else None)
    if activation == "hard_sigmoid" and len(x.shape) in RANKS:
        return _clipped(walk, x, -2.5, 2.5, (0.2, 0.5))
    return walk.add("Activation", x, name=name, activation=activation)


def _activation(walk: Any, layer: Any, args: Sequence[Any], _: Mapping[str, Any]) -> Any:
    activation = layer.get_config()["activation"]
    return activated(walk, args[0], activation) if activation in ("hard_sigmoid", "relu6") else None


def _rectified(walk: Any, layer: Any, args: Sequence[Any], _: Mapping[str, Any]) -> Any:
    """Write a ReLU as LiteRT has it in integers: open, up to 6, or leaky."""
    slope, most = float(layer.negative_slope), layer.max_value
    if float(layer.threshold) or (most in (None, 6.0) and not slope):
        return None
    if most is None:
        return walk.add("LeakyReLU", args[0], name=layer.name, alpha=slope)
    return None if slope else _clipped(walk, args[0], 0.0, most)


def _clipped(
    walk: Any, x: Any, low: float, high: float, then: tuple[float, float] = (1.0, 0.0)
) -> Any:
    """Return `x` between two ends, scaled and moved: LiteRT has a ReLU up to 6 in integers."""
    span = float(high) - float(low)
    if span <= 0 or len(x.shape) not in RANKS:
        return None
    if (low, high) == (0, 6):
        return activated(walk, x, "relu6")
    capped = activated(walk, _scaled(walk, x, 6 / span, -6 * low / span), "relu6")
    return _scaled(walk, capped, then[0] * span / 6, then[0] * low + then[1])


def is_rectified(layer: Any) -> bool:
    """Return whether a ReLU, after `plain`, has a form in integers."""
    return layer.max_value in (None, 6.0) and not (layer.negative_slope or layer.threshold)


def _linear(walk: Any, layer: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Set an activation apart that cannot be fused; fold a normalization that tfmot does not."""
    config, weights = layer.get_config(), layer.get_weights()
    activation, kind = config["activation"], type(layer).__name__
    apart = _is_apart(kind, activation)
    if walk.is_shared(layer):
        if not apart:
            return None
        y = walk.copied(layer, args, kwargs, activation="linear")
        return activated(walk, y, activation)
    behind = _behind(layer) if kind in ("Dense", "Conv2DTranspose") else None
    if activation == "linear" and behind is not None:
        walk.folded.add(id(behind))
        return computed(walk, kind, args[0], _folded(kind, weights, behind), config, bias=True)
    return computed(walk, kind, args[0], weights, config) if apart else None


def _is_apart(kind: str, activation: str) -> bool:
    """Return whether an activation must be a layer of its own."""
    return activation not in FUSED or (kind == "Conv2DTranspose" and activation == "relu")


def computed(
    walk: Any, kind: str, x: Any, weights: Any, config: Mapping[str, Any], *, bias: bool = False
) -> Any:
    """Return the output of a layer of some kind, with its activation apart if it must be."""
    activation = config["activation"]
    apart = _is_apart(kind, activation)
    own = {**config, "activation": "linear" if apart else activation}
    if bias:
        own["use_bias"] = True
    y = walk.add(kind, x, weights, **own)
    return activated(walk, y, activation, f"{config['name']}_{activation}") if apart else y


def _behind(layer: Any) -> Any:
    """Return the batch normalization that alone reads a layer; None for anything else."""
    readers = [node.layer for node in layer.outbound_nodes]
    one: Any = readers[0] if len(readers) == 1 else None
    fits = type(one).__name__ == "BatchNormalization" and len(one.inbound_nodes) == 1
    return one if fits and _is_last(one) else None


def _is_last(normalization: Any) -> bool:
    return list(normalization.axis) == [len(normalization.input_shape) - 1]


def effect(normalization: Any) -> tuple[Any, Any]:
    """Return by what a batch normalization multiplies each channel, and what it adds then."""
    spread = np.sqrt(normalization.moving_variance.numpy() + normalization.epsilon)
    scale = (normalization.gamma.numpy() if normalization.scale else 1.0) / spread
    centre = normalization.beta.numpy() if normalization.center else 0.0
    return scale, centre - normalization.moving_mean.numpy() * scale


def _folded(kind: str, weights: Sequence[Any], normalization: Any) -> list[Any]:
    scale, offset = effect(normalization)
    channels = scale[:, None] if kind == "Conv2DTranspose" else scale  # its inputs come last
    bias = weights[1] if len(weights) > 1 else 0.0
    return [weights[0] * channels, bias * scale + offset]


def is_behind_convolution(normalization: Any) -> bool:
    """Return whether a batch normalization reads a convolution, over the channels."""
    before = _before(normalization)
    plain = type(before).__name__ in CONVOLUTIONS and before.get_config()["activation"] == "linear"
    return plain and _is_last(normalization)


def _before(layer: Any) -> Any:
    return layer.inbound_nodes[0].inbound_layers


def _normalization(walk: Any, layer: Any, args: Sequence[Any], _: Mapping[str, Any]) -> Any:
    if id(layer) in walk.folded:
        return args[0]
    if not _is_last(layer):
        return None
    before = _before(layer)
    shared = walk.is_shared(layer) or walk.is_shared(before)
    if not shared and is_behind_convolution(layer) and _behind(before) is layer:
        config = {**layer.get_config(), "axis": -1}
        return walk.add("BatchNormalization", args[0], layer.get_weights(), **config)
    return _scaled(walk, args[0], *effect(layer), layer.name)


def _standardized(walk: Any, layer: Any, args: Sequence[Any], _: Mapping[str, Any]) -> Any:
    spread = np.maximum(np.sqrt(np.ravel(layer.variance)), 1e-7)
    offset = -np.ravel(layer.mean) / spread
    if len(spread) != args[0].shape[-1]:
        return None
    return _scaled(walk, args[0], 1 / spread, offset, layer.name)


def _rescaled(walk: Any, layer: Any, args: Sequence[Any], _: Mapping[str, Any]) -> Any:
    return _scaled(walk, args[0], layer.scale, layer.offset, layer.name)


def _scaled(walk: Any, x: Any, scale: Any, offset: Any, name: str = "scaled") -> Any:
    """Return `x` with each channel scaled and moved: a depthwise convolution of 1x1."""
    channels = x.shape[-1]
    weights = [
        np.broadcast_to(scale, channels).reshape(1, 1, -1, 1),
        np.broadcast_to(offset, channels),
    ]
    match len(x.shape):
        case 4:
            return walk.add("DepthwiseConv2D", x, weights, name=name, kernel_size=1)
        case 3:
            y = walk.add("DepthwiseConv2D", walk.wide(x), weights, name=name, kernel_size=1)
            return walk.narrow(y)
        case 2:
            y = walk.add("Reshape", x, target_shape=(1, 1, channels))
            y = walk.add("DepthwiseConv2D", y, weights, name=name, kernel_size=1)
            return walk.add("Reshape", y, target_shape=(channels,))
        case _:
            return None


def _mean(walk: Any, _layer: Any, args: Sequence[Any], _: Mapping[str, Any]) -> Any:
    """Write an average as a sum, scaled: LiteRT divides in float."""
    if len(args[0][0].shape) not in RANKS:
        return None
    return _scaled(walk, _sum(walk, args[0]), 1 / len(args[0]), 0.0)


def _added(walk: Any, _layer: Any, args: Sequence[Any], _: Mapping[str, Any]) -> Any:
    """Write a sum of many as sums of two: LiteRT adds more in float."""
    return _sum(walk, args[0]) if len(args[0]) > 2 else None


def _sum(walk: Any, tensors: Sequence[Any]) -> Any:
    return reduce(lambda one, other: walk.add("Add", [one, other]), tensors)


def _convolution(walk: Any, layer: Any, args: Sequence[Any], _: Mapping[str, Any]) -> Any:
    """Write a convolution along one axis as one along two."""
    if layer.data_format != "channels_last" or walk.is_shared(layer):
        return None
    config, x = layer.get_config(), walk.wide(args[0])
    reach = (layer.kernel_size[0] - 1) * layer.dilation_rate[0]
    causal = config["padding"] == "causal"
    if causal:
        x = walk.add("ZeroPadding2D", x, padding=((reach, 0), (0, 0)))
    kept = ("name", "filters", "activation", "use_bias", "groups", "depth_multiplier")
    own = {key: config[key] for key in kept if key in config}
    own |= {key: (layer_value[0], 1) for key, layer_value in _sizes(layer).items()}
    own["padding"] = "valid" if causal else config["padding"]
    weights = [w if w.ndim == 1 else w[:, None] for w in layer.get_weights()]
    kind = type(layer).__name__.replace("1D", "2D")
    if kind != "Conv2D":
        own["strides"] = (own["strides"][0],) * 2  # theirs must be equal; the width is 1
    return walk.narrow(computed(walk, kind, x, weights, own))


def _sizes(layer: Any) -> dict[str, Any]:
    names = ("kernel_size", "strides", "dilation_rate")
    return {name: getattr(layer, name) for name in names}


def _pool(walk: Any, layer: Any, args: Sequence[Any], _: Mapping[str, Any]) -> Any:
    if layer.data_format != "channels_last":
        return None
    size, strides = (np.ravel(v)[0] for v in (layer.pool_size, layer.strides))
    options = {"pool_size": (int(size), 1), "strides": (int(strides), 1), "padding": layer.padding}
    kind = type(layer).__name__.replace("1D", "2D")
    return walk.narrow(walk.add(kind, walk.wide(args[0]), name=layer.name, **options))


def _global_pool(walk: Any, layer: Any, args: Sequence[Any], _: Mapping[str, Any]) -> Any:
    if layer.data_format != "channels_last" or layer.keepdims:
        return None
    kind = type(layer).__name__.replace("1D", "2D")
    return walk.add(kind, walk.wide(args[0]), name=layer.name)


def _nothing(_walk: Any, _layer: Any, args: Sequence[Any], _: Mapping[str, Any]) -> Any:
    return args[0]


RULES: dict[str, Rule] = {
    **dict.fromkeys(NOISE, _nothing),
    **dict.fromkeys(("Conv2D", "Conv2DTranspose", "Dense", "DepthwiseConv2D"), _linear),
    "SeparableConv2D": _linear,
    **dict.fromkeys(("Conv1D", "DepthwiseConv1D", "SeparableConv1D"), _convolution),
    **dict.fromkeys(("AveragePooling1D", "MaxPooling1D"), _pool),
    **dict.fromkeys(("GlobalAveragePooling1D", "GlobalMaxPooling1D"), _global_pool),
    "Activation": _activation,
    "Add": _added,
    "Average": _mean,
    "BatchNormalization": _normalization,
    "Normalization": _standardized,
    "ReLU": _rectified,
    "Rescaling": _rescaled,
    "TFOpLambda": _operator,
}
