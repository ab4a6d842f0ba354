"""The fixed-point form of each type of layer."""

from collections.abc import Mapping
from typing import Any

from edgeflow.compress.hgq import pooling, weighted
from edgeflow.compress.hgq.graph import Builder, Form, UnknownError

LEFT_OUT = ("Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D")
"""Layers that do nothing outside of a training."""


def _input(builder: Builder, layer: Any, _: list[str]) -> str:
    (shape,) = layer.input_shape if isinstance(layer.input_shape, list) else [layer.input_shape]
    return builder.add(layer.name, "Input", shape=list(shape[1:]))


def _rectified(builder: Builder, layer: Any, given: list[str]) -> str:
    if layer.negative_slope or layer.threshold:
        raise UnknownError(", with a slope or threshold")
    most = None if layer.max_value is None else float(layer.max_value)
    return _relu(builder, layer.name, given, most)


def _relu(builder: Builder, name: str, given: list[str], most: float | None) -> str:
    if builder.nodes[given[0]].layer == "Input":
        raise UnknownError(" of an input")
    return builder.add(name, "ReLU", given, max_value=most)


def _activated(builder: Builder, layer: Any, given: list[str]) -> str:
    name = layer.get_config()["activation"]
    if name == "linear":
        return given[0]
    if name != "relu":
        raise UnknownError(f", {name}")
    return _relu(builder, layer.name, given, None)


def _flattened(builder: Builder, layer: Any, given: list[str]) -> str:
    return builder.add(layer.name, "Flatten", given)


def _reshaped(builder: Builder, layer: Any, given: list[str]) -> str:
    return builder.add(layer.name, "Reshape", given, target_shape=list(layer.output_shape[1:]))


def _merged(kind: str) -> Form:
    def form(builder: Builder, layer: Any, given: list[str]) -> str:
        shapes = [tuple(shape[1:]) for shape in layer.input_shape]
        if len(given) != 2:
            raise UnknownError(f", of {len(given)} tensors")
        if len({len(shape) for shape in shapes}) > 1:
            raise UnknownError(", of tensors with different numbers of axes")
        return builder.add(layer.name, kind, given)

    return form


def _concatenated(builder: Builder, layer: Any, given: list[str]) -> str:
    shapes = [tuple(shape[1:]) for shape in layer.input_shape]
    if layer.axis not in (-1, len(shapes[0])) or len(set(shapes)) > 1:
        raise UnknownError(", of tensors of different shapes, or not along the last axis")
    if len({builder.nodes[name].layer == "Input" for name in given}) > 1:
        raise UnknownError(", of an input and a layer's output")
    return builder.add(layer.name, "Concatenate", given, axis=-1)


def _left_out(_: Builder, __: Any, given: list[str]) -> str:
    return given[0]


FORMS: Mapping[str, Form] = {
    "InputLayer": _input,
    "Dense": weighted.dense,
    "Conv2D": weighted.convolution,
    "DepthwiseConv2D": weighted.depthwise,
    "SeparableConv2D": weighted.separable,
    "BatchNormalization": weighted.normalization,
    "ReLU": _rectified,
    "Activation": _activated,
    "MaxPooling2D": pooling.max_pool,
    "AveragePooling2D": pooling.average_pool,
    "GlobalMaxPooling2D": pooling.global_max,
    "GlobalAveragePooling2D": pooling.global_average,
    "Flatten": _flattened,
    "Reshape": _reshaped,
    "Add": _merged("QAdd"),
    "Subtract": _merged("QSubtract"),
    "Multiply": _merged("QMultiply"),
    "Maximum": _merged("QMaximum"),
    "Minimum": _merged("QMinimum"),
    "Concatenate": _concatenated,
    **dict.fromkeys(LEFT_OUT, _left_out),
}
