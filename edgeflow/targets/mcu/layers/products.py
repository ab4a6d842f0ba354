"""What layers that sum products of weights have in common."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeflow.targets.mcu.fixed_point import multiplier
from edgeflow.targets.mcu.graph import ABSENT, Graph, Node
from edgeflow.targets.mcu.layers.base import fused_range

TOGETHER = 4
"""Units or channels that a kernel computes at once."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Products:
    """Weights with their scales.

    Attributes:
        weights: int8, of shape [units, products of each].
        bias: int32 of each unit.
        folded: int32 likewise, less what the input's zero point adds to its sum.
        scales: by which sums become outputs: one, or one of each unit.
        values: members of the kernel's parameters that say how a sum becomes an output.
        arrays: likewise.
        notes: for the comment above the layer.
    """

    weights: NDArray[np.int8]
    bias: NDArray[np.int32]
    folded: NDArray[np.int32]
    scales: tuple[float, ...]
    values: dict[str, int]
    arrays: dict[str, NDArray[Any]]
    notes: tuple[str, ...]


def products(graph: Graph, node: Node, axis: int) -> Products:
    """Return the constants of a layer whose weights have their units along `axis`.

    Raises:
        Unsupported: the fused activation is no clamp.
    """
    source, weights = (graph.tensors[place] for place in node.inputs[:2])
    target = graph.tensors[node.outputs[0]]
    matrix = np.moveaxis(np.asarray(weights.data, np.int8), axis, 0)
    matrix = matrix.reshape(matrix.shape[0], -1)
    bias = _bias(graph, node, matrix.shape[0])
    folded = bias - source.zero_point * matrix.sum(axis=1, dtype=np.int64)
    scales = [source.scale * scale / target.scale for scale in weights.scales]
    q, shifts = zip(*map(multiplier, scales), strict=True)
    low, high = fused_range(graph, node, node.outputs[0])
    return Products(
        weights=matrix,
        bias=bias.astype(np.int32),
        folded=folded.astype(np.int32),
        scales=tuple(scales),
        values={
            "scales_step": int(len(scales) > 1),
            "zero_point": target.zero_point,
            "low": low,
            "high": high,
        },
        arrays={"multipliers": np.array(q, np.int32), "shifts": np.array(shifts, np.int8)},
        notes=(_scaling(scales),),
    )


def alternating(matrix: NDArray[np.int8]) -> NDArray[np.int8]:
    """Return weights [units, products], those of each four units alternating, as one vector."""
    whole = len(matrix) // TOGETHER * TOGETHER
    blocks = matrix[:whole].reshape(-1, TOGETHER, matrix.shape[1]).transpose(0, 2, 1)
    return np.concatenate([blocks.ravel(), matrix[whole:].ravel()])


def _bias(graph: Graph, node: Node, units: int) -> NDArray[np.int64]:
    if len(node.inputs) < 3 or node.inputs[2] == ABSENT:
        return np.zeros(units, np.int64)
    return np.asarray(graph.tensors[node.inputs[2]].data, np.int64).ravel()


def _scaling(scales: list[float]) -> str:
    low, high = min(scales), max(scales)
    each = f", of {len(scales)} channels" if len(scales) > 1 else ""
    return f"sums are scaled by {low:.3g}" + (f" to {high:.3g}" if high > low else "") + each
