"""Functions of single values, as tables of all 256 of them."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeflow.targets.mcu.conversions import IN_FLOAT, dequantized, quantized
from edgeflow.targets.mcu.fixed_point import (
    CODES,
    Integers,
    logistic,
    multiplier,
    output,
    requantize,
    rounding_shift,
    tanh,
)
from edgeflow.targets.mcu.graph import Graph, Node, Tensor
from edgeflow.targets.mcu.layers.base import REALS, Layer, Unsupported, View, code, half_away
from edgeflow.targets.mcu.layers.hard_swish import hard_swish
from edgeflow.targets.mcu.settings import Settings

Floats = NDArray[np.float64]


def table(graph: Graph, node: Node, place: int, codes: Integers) -> Layer:
    """Return the layer that looks up what becomes of each value.

    Args:
        graph: with the tensors.
        node: the operator.
        place: of the tensor that it reads.
        codes: of the output, one for each of `CODES`.
    """
    return Layer(
        node=node,
        kernel="nn_table",
        values={"size": graph.tensors[place].size},
        arrays={"table": np.clip(codes, -128, 127).astype(np.int8)},
        reads=(place,),
        writes=(node.outputs[0],),
        slack=(0,),
    )


def unary(graph: Graph, node: Node, settings: Settings) -> list[Layer | View]:
    """Return the layer of an operator of one tensor, or a view if it changes no value."""
    source = graph.tensors[node.inputs[0]]
    target = graph.tensors[node.outputs[0]]
    codes = _FUNCTIONS[node.operator](source, target, node, settings)
    if np.array_equal(np.clip(codes, -128, 127), CODES):
        return [View(node=node, read=node.inputs[0], write=node.outputs[0])]
    return [table(graph, node, node.inputs[0], codes)]


def _quantize(source: Tensor, target: Tensor, node: Node, settings: Settings) -> Integers:
    if node.options.get(IN_FLOAT):
        return quantized(dequantized(CODES, source), target).astype(np.int64)
    return _rescaled(source, target, source.scale / target.scale)


def _rescaled(source: Tensor, target: Tensor, factor: float) -> Integers:
    return output(requantize(CODES - source.zero_point, *multiplier(factor)), target.zero_point)


def _linear(source: Tensor, target: Tensor, settings: Settings) -> Integers:
    real = REALS[settings.profile]
    return _rescaled(source, target, float(real(source.scale) / real(target.scale)))


def _relu(source: Tensor, target: Tensor, node: Node, settings: Settings) -> Integers:
    return np.maximum(_linear(source, target, settings), target.zero_point)


def _relu_6(source: Tensor, target: Tensor, node: Node, settings: Settings) -> Integers:
    if settings.profile == "tflm":
        # It takes no account of the output's scale.
        return np.clip(CODES, source.zero_point, code(6, source))
    codes = _linear(source, target, settings)
    return np.clip(codes, target.zero_point, code(6, target))


def _relu_1(source: Tensor, target: Tensor, node: Node, settings: Settings) -> Integers:
    codes = _linear(source, target, settings)
    return np.clip(codes, code(-1, target), code(1, target))


def _leaky_relu(source: Tensor, target: Tensor, node: Node, settings: Settings) -> Integers:
    """Source: `LeakyReluPrepare` in tensorflow/lite/micro/kernels and tensorflow/lite/kernels.

    Both apply the slope by its size and then change the sign, for the rounding of halves.
    """
    x = CODES - source.zero_point
    real = REALS[settings.profile]
    one, out = real(source.scale), real(target.scale)
    slope = real(np.float32(node.options["alpha"]))
    above = requantize(x, *multiplier(float(one / out)))
    below = requantize(x, *multiplier(float(one * abs(slope) / out)))
    return output(np.where(x >= 0, above, -below if slope < 0 else below), target.zero_point)


def _sigmoid(source: Tensor, target: Tensor, node: Node, settings: Settings) -> Integers:
    """Source: tensorflow/lite/kernels/internal/reference/integer_ops/logistic.h."""
    if (target.scale, target.zero_point) != (1 / 256, -128):
        raise Unsupported("has an output of other than scale 1/256", "export it again")
    if settings.profile == "litert-ref":
        one = np.float32(1)  # each step is rounded
        return _in_float(source, target, lambda x: one / (one + np.exp(-x).astype(np.float32)))
    x, fixed, radius = _four_integer_bits(source)
    codes = rounding_shift(logistic(fixed, 4), 23) - 128
    return np.where(x <= -radius, -128, np.where(x >= radius, 127, codes))


def _tanh(source: Tensor, target: Tensor, node: Node, settings: Settings) -> Integers:
    """Source: tensorflow/lite/kernels/internal/reference/integer_ops/tanh.h."""
    if (target.scale, target.zero_point) != (1 / 128, 0):
        raise Unsupported("has an output of other than scale 1/128", "export it again")
    if settings.profile == "litert-ref":
        return _in_float(source, target, np.tanh)
    x, fixed, radius = _four_integer_bits(source)
    codes = rounding_shift(tanh(fixed, 4), 24)
    return np.where(x <= -radius, -128, np.where(x >= radius, 127, codes))


def _in_float(
    source: Tensor, target: Tensor, function: Callable[[Floats], NDArray[Any]]
) -> Integers:
    """Return a table of values rounded in float32, as LiteRT makes it: `LUTPopulate`.

    Source: tensorflow/lite/kernels/internal/common.h.
    """
    x = np.float32(source.scale) * (CODES - source.zero_point).astype(np.float32)
    with np.errstate(over="ignore"):  # what overflows becomes 0 or 1, as there
        y = function(x.astype(np.float64)).astype(np.float32)
    steps = y * (np.float32(1) / np.float32(target.scale))
    rounded = np.trunc(steps + np.copysign(np.float32(0.5), steps)).astype(np.int64)
    return np.asarray(rounded + target.zero_point, np.int64)


def _four_integer_bits(source: Tensor) -> tuple[Integers, Integers, int]:
    """Return the input, the same with 4 bits before the point, and from which size on it is off."""
    x = CODES - source.zero_point
    mantissa, shift = math.frexp(source.scale * 2**27)
    if shift < 0:
        raise Unsupported("has an input of a scale near zero", "calibrate it again")
    radius = math.floor(15 * 2**27 / 2**shift)
    inside = np.clip(x, -radius, radius)
    return x, requantize(inside, half_away(mantissa * 2**31), shift), radius


def _elu(source: Tensor, target: Tensor, node: Node, settings: Settings) -> Integers:
    """Source: tensorflow/lite/micro/kernels/elu.cc; between conversions, reference_ops::Elu."""
    x = dequantized(CODES, source)
    if node.options.get(IN_FLOAT):
        return quantized(np.where(x < 0, np.expm1(np.minimum(x, 0)), x), target).astype(np.int64)
    y = np.where(x < 0, np.exp(np.minimum(x, 0)) - np.float32(1), x)
    steps = (y * (np.float32(1) / np.float32(target.scale))).tolist()
    return np.array([half_away(step) for step in steps]) + target.zero_point


_FUNCTIONS = {
    "ELU": _elu,
    "HARD_SWISH": hard_swish,
    "LEAKY_RELU": _leaky_relu,
    "LOGISTIC": _sigmoid,
    "QUANTIZE": _quantize,
    "RELU": _relu,
    "RELU6": _relu_6,
    "RELU_N1_TO_1": _relu_1,
    "TANH": _tanh,
}
