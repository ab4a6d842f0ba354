"""Layers with weights, and normalizations, which are folded into them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from edgeflow.compress.hgq.graph import Builder, UnknownError
from edgeflow.compress.hgq.windows import require_last, window
from edgeflow.compress.plain_rules import effect


def dense(builder: Builder, layer: Any, given: list[str]) -> str:
    """Add a dense layer."""
    weights = _with_bias(layer.get_weights())
    more = _activation(layer)
    return builder.add(layer.name, "QDense", given, weights, units=layer.units, **more)


def convolution(builder: Builder, layer: Any, given: list[str]) -> str:
    """Add a convolution of one group."""
    require_last(layer)
    if layer.groups != 1:
        raise UnknownError(f", {layer.groups} groups")
    kernel, bias = _with_bias(layer.get_weights())
    more = {**window(layer), **_activation(layer)}
    return builder.add(layer.name, "QConv2D", given, (kernel, bias), filters=len(bias), **more)


def depthwise(builder: Builder, layer: Any, given: list[str]) -> str:
    """Add a depthwise convolution, as one with as many groups as channels."""
    require_last(layer)
    kernel, bias = _with_bias(layer.get_weights(), channels=2)
    more = {**window(layer), **_activation(layer)}
    return grouped(builder, layer.name, given, kernel, bias, more)


def grouped(
    builder: Builder, name: str, given: list[str], kernel: Any, bias: Any, options: dict[str, Any]
) -> str:
    """Add a depthwise convolution, whose kernel is (height, width, channels, multiplier)."""
    channels, several = kernel.shape[2:]
    weights = (kernel.reshape(*kernel.shape[:2], 1, channels * several), bias)
    more = {"groups": channels, "filters": channels * several, **options}
    return builder.add(name, "QConv2D", given, weights, **more)


def separable(builder: Builder, layer: Any, given: list[str]) -> str:
    """Add both convolutions of a separable one."""
    require_last(layer)
    depthwise, *pointwise = layer.get_weights()
    channels = depthwise.shape[2] * depthwise.shape[3]
    first = f"{layer.name}_depthwise"
    inner = grouped(builder, first, given, depthwise, np.zeros(channels), window(layer))
    kernel, bias = _with_bias(pointwise)
    more = {"filters": len(bias), "kernel_size": [1, 1], **_activation(layer)}
    return builder.add(layer.name, "QConv2D", [inner], (kernel, bias), **more)


def normalization(builder: Builder, layer: Any, given: list[str]) -> str:
    """Fold a normalization into the convolution before it, which nothing else reads."""
    before = builder.nodes[given[0]]
    if before.layer == "Unknown":
        return before.name
    if not before.weights or before.options.get("activation"):
        raise UnknownError
    scale, offset = effect(layer)
    kernel, bias = before.weights
    folded = kernel * scale, bias * scale + offset
    before.weights = [np.asarray(one, np.float32) for one in folded]
    return before.name


def _with_bias(weights: Sequence[Any], channels: int = 1) -> tuple[Any, Any]:
    """Return kernel and bias, of zeros where there is none: HGQ2's tracer wants one."""
    kernel = weights[0]
    outputs = int(np.prod(kernel.shape[-channels:]))
    return kernel, weights[1] if len(weights) > 1 else np.zeros(outputs)


def _activation(layer: Any) -> dict[str, Any]:
    name = layer.get_config()["activation"]
    if name == "linear":
        return {}
    if name != "relu":
        raise UnknownError(f", {name}")
    return {"activation": "relu"}
