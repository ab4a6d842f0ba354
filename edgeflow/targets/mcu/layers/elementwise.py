"""Sums, differences and products of two tensors."""

from collections.abc import Callable

import numpy as np

from edgeflow.targets.mcu.fixed_point import CODES, Integers, multiplier, output, requantize
from edgeflow.targets.mcu.graph import Graph, Node, Tensor
from edgeflow.targets.mcu.layers import broadcast
from edgeflow.targets.mcu.layers.base import REALS, Layer, Unsupported, fused_range
from edgeflow.targets.mcu.layers.tables import table
from edgeflow.targets.mcu.settings import Settings

_LEFT_SHIFT = 20
"""Fractional bits in which operands are brought to one scale."""


def add(graph: Graph, node: Node, settings: Settings) -> list[Layer]:
    """Return the layer of an ADD or SUB."""
    operands = [graph.tensors[place] for place in node.inputs]
    scales = [tensor.scale for tensor in operands]
    large = scales.index(max(scales))
    factors = _factors(graph, node, scales)
    (b, b_shift), (q, shift) = factors[1 - large], factors[2]
    sign = -1 if node.operator == "SUB" else 1
    signs = (1, sign) if large == 0 else (sign, 1)
    a_factor = signs[0] << (_LEFT_SHIFT - 1)
    low, high = fused_range(graph, node, node.outputs[0])
    values = {
        "a_factor": a_factor,
        "bias": -a_factor * operands[large].zero_point,
        "b_zero_point": operands[1 - large].zero_point,
        "b_high": b >> 16,
        "b_low": b & 0xFFFF,
        "b_right": -b_shift,
        "b_sign": signs[1],
        "multiplier": q,
        "shift": shift,
        "zero_point": graph.tensors[node.outputs[0]].zero_point,
        "low": low,
        "high": high,
    }

    def compute(x: Integers, y: Integers) -> Integers:
        wide = (y - values["b_zero_point"]) << _LEFT_SHIFT
        total = x * a_factor + values["bias"] + signs[1] * requantize(wide, b, b_shift)
        return output(requantize(total, q, shift), values["zero_point"])

    return _binary(graph, node, "nn_add", values, (large, 1 - large), compute)


def _factors(graph: Graph, node: Node, scales: list[float]) -> list[tuple[int, int]]:
    """Return the multipliers of both operands and of the output, from scales in float64.

    Source: `CalculateOpDataAdd` in tensorflow/lite/micro/kernels/add_common.cc.
    """
    twice = 2 * max(scales)
    last = twice / ((1 << _LEFT_SHIFT) * graph.tensors[node.outputs[0]].scale)
    if last >= 1:
        raise Unsupported(
            "has an output of a scale much smaller than its inputs'", "calibrate it again"
        )
    return [multiplier(real) for real in (*(scale / twice for scale in scales), last)]


def multiply(graph: Graph, node: Node, settings: Settings) -> list[Layer]:
    """Return the layer of a MUL."""
    operands = [graph.tensors[place] for place in node.inputs]
    target = graph.tensors[node.outputs[0]]
    real = REALS[settings.profile]
    one, other, out = (real(tensor.scale) for tensor in (*operands, target))
    q, shift = multiplier(float(one * other / out))
    low, high = fused_range(graph, node, node.outputs[0])
    values = {
        "multiplier": q,
        "shift": shift,
        "a_zero_point": operands[0].zero_point,
        "b_zero_point": operands[1].zero_point,
        "zero_point": target.zero_point,
        "low": low,
        "high": high,
    }

    def compute(x: Integers, y: Integers) -> Integers:
        product = (x - values["a_zero_point"]) * (y - values["b_zero_point"])
        return output(requantize(product, q, shift), values["zero_point"])

    return _binary(graph, node, "nn_mul", values, (0, 1), compute)


def extreme(graph: Graph, node: Node, settings: Settings) -> list[Layer]:
    """Return the layer of a MAXIMUM or MINIMUM, of tensors of one quantization."""
    is_largest = node.operator == "MAXIMUM"
    compute = np.maximum if is_largest else np.minimum
    values = {"sign": 1 if is_largest else -1}
    return _binary(graph, node, "nn_extreme", values, (0, 1), compute)


def prelu(graph: Graph, node: Node, settings: Settings) -> list[Layer]:
    """Return the layer of a PRELU.

    Source: `CalculatePreluParams` in tensorflow/lite/micro/kernels/prelu_common.cc.
    """
    operands = [graph.tensors[place] for place in node.inputs]
    target = graph.tensors[node.outputs[0]]
    real = REALS[settings.profile]
    one, slope, out = (real(tensor.scale) for tensor in (*operands, target))
    above, below = multiplier(float(one / out)), multiplier(float(one * slope / out))
    values = {
        "above_multiplier": above[0],
        "above_shift": above[1],
        "below_multiplier": below[0],
        "below_shift": below[1],
        "a_zero_point": operands[0].zero_point,
        "b_zero_point": operands[1].zero_point,
        "zero_point": target.zero_point,
    }

    def compute(x: Integers, y: Integers) -> Integers:
        size = x - operands[0].zero_point
        product = size * (y - operands[1].zero_point)
        scaled = np.where(size >= 0, requantize(size, *above), requantize(product, *below))
        return output(scaled, target.zero_point)

    return _binary(graph, node, "nn_prelu", values, (0, 1), compute)


def _binary(
    graph: Graph,
    node: Node,
    kernel: str,
    values: dict[str, int],
    order: tuple[int, int],
    compute: Callable[[Integers, Integers], Integers],
) -> list[Layer]:
    """Return the layer of a kernel that takes operands A and B, or a table of one of them.

    Args:
        graph: with the tensors.
        node: the operator.
        kernel: name of the C function.
        values: of its parameters, without sizes.
        order: which inputs of the operator A and B are.
        compute: what the kernel does, before its clamp.
    """
    places = [node.inputs[n] for n in order]
    a, b = (_one_value(graph.tensors[place]) for place in places)
    if a is not None or b is not None:
        variable = places[0] if b is not None else places[1]
        codes = compute(CODES, b) if b is not None else compute(np.asarray(a), CODES)
        low, high = values.get("low", -128), values.get("high", 127)
        return [table(graph, node, variable, np.clip(codes, low, high))]
    return [
        Layer(
            node=node,
            kernel=kernel,
            values=broadcast.loops(graph, places, node.outputs[0]) | values,
            arrays={},
            reads=tuple(places),
            writes=(node.outputs[0],),
            slack=broadcast.slacks(graph, places, node.outputs[0]),
        )
    ]


def _one_value(tensor: Tensor) -> Integers | None:
    is_one = tensor.data is not None and tensor.data.size == 1
    return np.asarray(tensor.data, np.int64).ravel() if is_one else None
