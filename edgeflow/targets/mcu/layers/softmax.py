"""Softmax."""

import numpy as np

from edgeflow.targets.mcu.fixed_point import (
    Integers,
    exp_of_negative,
    high_product,
    multiplier,
    rounding_shift,
)
from edgeflow.targets.mcu.graph import Graph, Node
from edgeflow.targets.mcu.layers.base import Layer, Unsupported
from edgeflow.targets.mcu.settings import Settings

_INTEGER_BITS = 5
_MAX_DEPTH = 4095
"""Values whose exponentials' sum has 12 bits before the point for certain."""


def softmax(graph: Graph, node: Node, settings: Settings) -> list[Layer]:
    """Return the layer of a SOFTMAX."""
    source = graph.tensors[node.inputs[0]]
    depth = source.shape[-1]
    if depth > _MAX_DEPTH:
        raise Unsupported(f"is over {depth} values", f"use at most {_MAX_DEPTH}")
    exps = _exps(source.scale * float(np.float32(node.options["beta"])))
    return [
        Layer(
            node=node,
            kernel="nn_softmax",
            values={"rows": source.size // depth, "depth": depth, "entries": exps.size},
            arrays={"exps": exps.astype(np.int32)},
            reads=node.inputs[:1],
            writes=node.outputs,
            slack=(0,),
        )
    ]


def _exps(scale: float) -> Integers:
    """Return exp(-scale * n) in 31 fractional bits for n = 0, 1, ..., as long as it counts.

    Source: `PreprocessSoftmaxScaling` and `CalculateInputRadius` in
    tensorflow/lite/kernels/internal/quantization_util.cc.
    """
    # From 2^30 on, one step gives nothing that counts.
    real = min(scale * 2**26, 2.0**30 - 1)
    if real <= 1:
        raise Unsupported("has an input of a scale near zero", "calibrate it again")
    q, shift = multiplier(real)
    steps = np.arange(min(255, 31 * 2**26 >> shift) + 1)
    exps = exp_of_negative(high_product(-steps << shift, q), _INTEGER_BITS)
    # The sum has 19 fractional bits, and a share is 8 bits of what is less than 2**31.
    return exps[: np.flatnonzero(rounding_shift(exps, 12))[-1] + 1]
