"""Convolutions."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeflow.targets.mcu.graph import Graph, Node
from edgeflow.targets.mcu.layers import windows
from edgeflow.targets.mcu.layers.base import Layer
from edgeflow.targets.mcu.layers.dense import dense
from edgeflow.targets.mcu.layers.products import Products, alternating, products
from edgeflow.targets.mcu.layers.windows import Side
from edgeflow.targets.mcu.settings import Settings


def conv_2d(graph: Graph, node: Node, settings: Settings) -> list[Layer]:
    """Return the layer of a CONV_2D, whose weights are [channels, rows, columns, depth]."""
    _, *taps, depth = graph.tensors[node.inputs[1]].shape
    found = products(graph, node, axis=0)
    rows, columns = windows.sides(graph, node, (taps[0], taps[1]))
    groups = graph.tensors[node.inputs[0]].shape[-1] // depth
    if groups == 1 and _is_pointwise(rows) and _is_pointwise(columns):
        return [dense(node, found, rows.outputs * columns.outputs)]
    return [_conv(graph, node, found, rows, columns, groups)]


def depthwise_conv_2d(graph: Graph, node: Node, settings: Settings) -> list[Layer]:
    """Return the layer of a DEPTHWISE_CONV_2D, whose weights are [1, rows, columns, channels]."""
    _, *taps, channels = graph.tensors[node.inputs[1]].shape
    found = products(graph, node, axis=3)
    rows, columns = windows.sides(graph, node, (taps[0], taps[1]))
    depth = graph.tensors[node.inputs[0]].shape[-1]
    if depth == 1 or channels > depth:
        return [_conv(graph, node, found, rows, columns, groups=depth)]
    return [_depthwise(graph, node, found, rows, columns)]


def _is_pointwise(side: Side) -> bool:
    return side.taps == side.stride == 1


def _conv(
    graph: Graph, node: Node, found: Products, rows: Side, columns: Side, groups: int
) -> Layer:
    source = graph.tensors[node.inputs[0]]
    depth = source.shape[-1]
    channels, products_each = found.weights.shape
    padded = rows.padded or columns.padded
    return Layer(
        node=node,
        kernel="nn_conv",
        values={
            "in_depth": depth,
            "groups": groups,
            "group_inputs": depth // groups,
            "group_outputs": channels // groups,
            "joined": int(groups == columns.dilation == 1),
            # Where windows lie partly outside, what is there counts as the zero point.
            "offset": -source.zero_point if padded else 0,
            **windows.values(rows, columns),
            **windows.padded(rows, columns),
            **found.values,
        },
        arrays={
            "weights": _alternating(found.weights, groups),
            "bias": found.bias if padded else found.folded,
            **found.arrays,
        },
        reads=(node.inputs[0],),
        writes=(node.outputs[0],),
        slack=(windows.slack(rows, columns, (depth, channels)),),
        macs=rows.outputs * columns.outputs * channels * products_each,
        notes=found.notes,
    )


def _alternating(weights: NDArray[np.int8], groups: int) -> NDArray[Any]:
    return np.concatenate([alternating(group) for group in np.split(weights, groups)])


def _depthwise(graph: Graph, node: Node, found: Products, rows: Side, columns: Side) -> Layer:
    depth, taps = found.weights.shape
    return Layer(
        node=node,
        kernel="nn_depthwise",
        values={
            "depth": depth,
            "in_zero_point": graph.tensors[node.inputs[0]].zero_point,
            **windows.values(rows, columns),
            **windows.padded(rows, columns),
            **found.values,
        },
        arrays={
            "weights": alternating(found.weights),
            "bias": found.folded,
            **found.arrays,
        },
        reads=(node.inputs[0],),
        writes=(node.outputs[0],),
        slack=(windows.slack(rows, columns, (depth, depth), by_channel=True),),
        macs=rows.outputs * columns.outputs * depth * taps,
        notes=found.notes,
    )
