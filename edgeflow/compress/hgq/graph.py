"""A network as a list of layers that HGQ2 has fixed-point forms for, with their weights."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edgeflow.compress.plain import plain
from edgeflow.compress.plain_rules import effect
from edgeflow.errors import CompileError

LEFT_OUT = ("Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D")
"""Layers that do nothing outside of a training."""


@dataclass(slots=True)
class Node:
    """A layer of the fixed-point network.

    Attributes:
        name: of the layer.
        layer: class of `hgq.layers` if it begins with Q, else of `keras.layers`.
        options: of the class, as JSON can hold them.
        inputs: names of the layers whose outputs it reads.
        weights: kernel and bias, float32, of a layer that has them.
    """

    name: str
    layer: str
    options: dict[str, Any] = field(default_factory=dict)
    inputs: list[str] = field(default_factory=list)
    weights: "list[np.ndarray[Any, Any]]" = field(default_factory=list)


@dataclass(slots=True)
class Graph:
    """A network in layers that HGQ2 has.

    Attributes:
        nodes: in the order in which they run.
        outputs: names of the layers that give the outputs.
        unknown: layers, with their types, that HGQ2 has no form for.
    """

    nodes: list[Node]
    outputs: list[str]
    unknown: list[str]

    def described(self) -> list[dict[str, Any]]:
        """Return the nodes as JSON holds them, with the number of their weights."""
        return [
            {
                "name": node.name,
                "layer": node.layer,
                "options": node.options,
                "inputs": node.inputs,
                "weights": len(node.weights),
            }
            for node in self.nodes
        ]

    def weights(self) -> "dict[str, np.ndarray[Any, Any]]":
        """Return all weights by the layer's name and their place."""
        return {
            f"{node.name}/{place}": array
            for node in self.nodes
            for place, array in enumerate(node.weights)
        }


def require_known(title: str, keras: Any, model: Any) -> None:
    """Refuse a network with layers that HGQ2 has no fixed-point form for.

    Raises:
        CompileError: it has some; they are named.
    """
    unknown = read_graph(keras, model).unknown
    if unknown:
        raise CompileError(
            f"{title}: high-granularity quantization has no fixed-point form of "
            + ", ".join(dict.fromkeys(unknown)),
            hint="build the network of the layers that docs/recipes.md lists for `hgq`, or use a "
            "recipe with another `quantize`",
        )


def read_graph(keras: Any, model: Any) -> Graph:
    """Return a network of Keras 2 as a graph, normalizations folded into what they follow."""
    reader = _Reader(keras)
    return reader.read(plain(keras, model))


class _Unknown(Exception):
    """A layer has no form; the text says what of it has none, empty for all of it."""


class _Reader:
    """Reads a network layer by layer; `_FORMS` has a function for each type."""

    def __init__(self, keras: Any) -> None:
        self.keras = keras
        self.nodes: dict[str, Node] = {}
        self._made: dict[int, str] = {}

    def read(self, model: Any) -> Graph:
        import tensorflow as tf

        unknown: list[str] = []
        depths = model._nodes_by_depth
        for depth in sorted(depths, reverse=True):
            for node in depths[depth]:
                layer, given = node.layer, tf.nest.flatten(node.keras_inputs)
                try:
                    name = self._form(layer, [self._made[id(tensor)] for tensor in given])
                except _Unknown as reason:
                    unknown.append(f"{layer.name} ({type(layer).__name__}{reason})")
                    name = self.add(layer.name, "Unknown")
                self._made.update((id(one), name) for one in tf.nest.flatten(node.outputs))
        inputs = [tensor.node.layer.name for tensor in model.inputs]
        places = {name: place for place, name in enumerate(inputs)}
        ordered = sorted(self.nodes.values(), key=lambda node: places.get(node.name, len(places)))
        return Graph(ordered, [self._made[id(tensor)] for tensor in model.outputs], unknown)

    def _form(self, layer: Any, given: list[str]) -> str:
        form, uses = _FORMS.get(type(layer).__name__), len(layer.inbound_nodes)
        if form is None:
            raise _Unknown
        if layer.weights and uses > 1:
            raise _Unknown(", used more than once")
        return form(self, layer, given)

    def add(
        self,
        name: str,
        layer: str,
        inputs: Sequence[str] = (),
        weights: Sequence[Any] = (),
        **options: Any,
    ) -> str:
        """Add a node, and return its name: numbered if there is one of that name."""
        number, free = 1, name
        while free in self.nodes:
            number, free = number + 1, f"{name}_{number}"
        arrays = [np.asarray(array, np.float32) for array in weights]
        self.nodes[free] = Node(free, layer, options, list(inputs), arrays)
        return free

    def shape(self, layer: Any) -> tuple[int, ...]:
        """Return the shape of a layer's one input, without the batch."""
        return tuple(layer.input_shape[1:])


_Form = Callable[[_Reader, Any, list[str]], str]


def _input(reader: _Reader, layer: Any, _: list[str]) -> str:
    (shape,) = layer.input_shape if isinstance(layer.input_shape, list) else [layer.input_shape]
    return reader.add(layer.name, "Input", shape=list(shape[1:]))


def _dense(reader: _Reader, layer: Any, given: list[str]) -> str:
    weights = _with_bias(layer.get_weights())
    more = _activation(layer)
    return reader.add(layer.name, "QDense", given, weights, units=layer.units, **more)


def _convolution(reader: _Reader, layer: Any, given: list[str]) -> str:
    _require_last(layer)
    if layer.groups != 1:
        raise _Unknown(f", {layer.groups} groups")
    kernel, bias = _with_bias(layer.get_weights())
    more = {**_window(layer), **_activation(layer)}
    return reader.add(layer.name, "QConv2D", given, (kernel, bias), filters=len(bias), **more)


def _depthwise(reader: _Reader, layer: Any, given: list[str]) -> str:
    _require_last(layer)
    kernel, bias = _with_bias(layer.get_weights(), channels=2)
    more = {**_window(layer), **_activation(layer)}
    return _grouped(reader, layer.name, given, kernel, bias, more)


def _grouped(
    reader: _Reader, name: str, given: list[str], kernel: Any, bias: Any, options: dict[str, Any]
) -> str:
    """Add a depthwise convolution, whose kernel is (height, width, channels, multiplier)."""
    channels, several = kernel.shape[2:]
    weights = (kernel.reshape(*kernel.shape[:2], 1, channels * several), bias)
    more = {"groups": channels, "filters": channels * several, **options}
    return reader.add(name, "QConv2D", given, weights, **more)


def _separable(reader: _Reader, layer: Any, given: list[str]) -> str:
    _require_last(layer)
    depthwise, *pointwise = layer.get_weights()
    channels = depthwise.shape[2] * depthwise.shape[3]
    first = f"{layer.name}_depthwise"
    inner = _grouped(reader, first, given, depthwise, np.zeros(channels), _window(layer))
    kernel, bias = _with_bias(pointwise)
    more = {"filters": len(bias), "kernel_size": [1, 1], **_activation(layer)}
    return reader.add(layer.name, "QConv2D", [inner], (kernel, bias), **more)


def _normalization(reader: _Reader, layer: Any, given: list[str]) -> str:
    """Fold a normalization into the convolution before it, which nothing else reads."""
    before = reader.nodes[given[0]]
    if before.layer == "Unknown":
        return before.name
    if not before.weights or before.options.get("activation"):
        raise _Unknown
    scale, offset = effect(layer)
    kernel, bias = before.weights
    folded = kernel * scale, bias * scale + offset
    before.weights = [np.asarray(one, np.float32) for one in folded]
    return before.name


def _rectified(reader: _Reader, layer: Any, given: list[str]) -> str:
    if layer.negative_slope or layer.threshold:
        raise _Unknown(", with a slope or threshold")
    most = None if layer.max_value is None else float(layer.max_value)
    return _relu(reader, layer.name, given, most)


def _relu(reader: _Reader, name: str, given: list[str], most: float | None) -> str:
    if reader.nodes[given[0]].layer == "Input":
        raise _Unknown(" of an input")
    return reader.add(name, "ReLU", given, max_value=most)


def _activated(reader: _Reader, layer: Any, given: list[str]) -> str:
    name = layer.get_config()["activation"]
    if name == "linear":
        return given[0]
    if name != "relu":
        raise _Unknown(f", {name}")
    return _relu(reader, layer.name, given, None)


def _max_pool(reader: _Reader, layer: Any, given: list[str]) -> str:
    _require_last(layer)
    _require_unpadded(reader, layer)
    return reader.add(layer.name, "QMaxPooling2D", given, **_pooled(layer))


def _average_pool(reader: _Reader, layer: Any, given: list[str]) -> str:
    _require_last(layer)
    _require_unpadded(reader, layer)
    if _is_power_of_two(int(np.prod(layer.pool_size))):
        return reader.add(layer.name, "QAveragePooling2D", given, **_pooled(layer))
    channels = reader.shape(layer)[-1]
    return _averaged(reader, layer.name, given, layer.pool_size, layer.strides, channels)


def _averaged(
    reader: _Reader, name: str, given: list[str], size: Any, strides: Any, channels: int
) -> str:
    """Write an average over other than 2, 4, 8, … values as weights, as no shift divides so."""
    kernel = np.full((*size, channels, 1), 1 / np.prod(size))
    options = {"kernel_size": _integers(size), "strides": _integers(strides), "padding": "valid"}
    return _grouped(reader, name, given, kernel, np.zeros(channels), options)


def _global_max(reader: _Reader, layer: Any, given: list[str]) -> str:
    _require_last(layer)
    return _pooled_over_all(reader, layer, given, "QMaxPooling2D")


def _global_average(reader: _Reader, layer: Any, given: list[str]) -> str:
    _require_last(layer)
    height, width, channels = reader.shape(layer)
    if _is_power_of_two(height * width):
        return _pooled_over_all(reader, layer, given, "QAveragePooling2D")
    name, size = f"{layer.name}_all", (height, width)
    return _without_places(reader, layer, _averaged(reader, name, given, size, (1, 1), channels))


def _pooled_over_all(reader: _Reader, layer: Any, given: list[str], kind: str) -> str:
    """Add a pooling with one window: hls4ml 1.3 fails at types of HGQ2's global ones."""
    size = list(reader.shape(layer)[:2])
    name = reader.add(f"{layer.name}_all", kind, given, pool_size=size, strides=size)
    return _without_places(reader, layer, name)


def _without_places(reader: _Reader, layer: Any, pooled: str) -> str:
    """Add what leaves out height and width, which are 1, where the layer does so."""
    if layer.keepdims:
        return pooled
    return reader.add(layer.name, "Reshape", [pooled], target_shape=[reader.shape(layer)[-1]])


def _flattened(reader: _Reader, layer: Any, given: list[str]) -> str:
    return reader.add(layer.name, "Flatten", given)


def _reshaped(reader: _Reader, layer: Any, given: list[str]) -> str:
    return reader.add(layer.name, "Reshape", given, target_shape=list(layer.output_shape[1:]))


def _merged(kind: str) -> _Form:
    def form(reader: _Reader, layer: Any, given: list[str]) -> str:
        shapes = [tuple(shape[1:]) for shape in layer.input_shape]
        if len(given) != 2:
            raise _Unknown(f", of {len(given)} tensors")
        if len({len(shape) for shape in shapes}) > 1:
            raise _Unknown(", of tensors with different numbers of axes")
        return reader.add(layer.name, kind, given)

    return form


def _concatenated(reader: _Reader, layer: Any, given: list[str]) -> str:
    shapes = [tuple(shape[1:]) for shape in layer.input_shape]
    if layer.axis not in (-1, len(shapes[0])) or len(set(shapes)) > 1:
        raise _Unknown(", of tensors of different shapes, or not along the last axis")
    if len({reader.nodes[name].layer == "Input" for name in given}) > 1:
        raise _Unknown(", of an input and a layer's output")
    return reader.add(layer.name, "Concatenate", given, axis=-1)


def _left_out(_: _Reader, __: Any, given: list[str]) -> str:
    return given[0]


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
        raise _Unknown(f", {name}")
    return {"activation": "relu"}


def _window(layer: Any) -> dict[str, Any]:
    if layer.padding not in ("same", "valid"):
        raise _Unknown(f", padding {layer.padding}")
    sizes = ("kernel_size", "strides", "dilation_rate")
    return {
        **{name: _integers(getattr(layer, name)) for name in sizes},
        "padding": layer.padding,
    }


def _pooled(layer: Any) -> dict[str, Any]:
    return {"pool_size": _integers(layer.pool_size), "strides": _integers(layer.strides)}


def _integers(values: Any) -> list[int]:
    return [int(value) for value in values]


def _require_last(layer: Any) -> None:
    if layer.data_format != "channels_last":
        raise _Unknown(f", {layer.data_format}")


def _require_unpadded(reader: _Reader, layer: Any) -> None:
    """Refuse windows that reach over the edge, where an average is one over fewer values."""
    sizes = zip(reader.shape(layer)[:2], layer.pool_size, layer.strides, strict=True)
    padded = [-(-size // step) > (size - pool) // step + 1 for size, pool, step in sizes]
    if layer.padding != "valid" and any(padded):
        raise _Unknown(", padding same")


def _is_power_of_two(number: int) -> bool:
    return number & (number - 1) == 0


_FORMS: Mapping[str, _Form] = {
    "InputLayer": _input,
    "Dense": _dense,
    "Conv2D": _convolution,
    "DepthwiseConv2D": _depthwise,
    "SeparableConv2D": _separable,
    "BatchNormalization": _normalization,
    "ReLU": _rectified,
    "Activation": _activated,
    "MaxPooling2D": _max_pool,
    "AveragePooling2D": _average_pool,
    "GlobalMaxPooling2D": _global_max,
    "GlobalAveragePooling2D": _global_average,
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
