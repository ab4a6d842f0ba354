"""Operators of a .tflite as layers of C; one file for each family."""

from collections.abc import Callable, Sequence

from edgeflow.errors import CompileError
from edgeflow.targets.mcu.graph import Graph, Node
from edgeflow.targets.mcu.layers import conv, dense, elementwise, pools, shapes, softmax, tables
from edgeflow.targets.mcu.layers.base import Layer, Unsupported, View
from edgeflow.targets.mcu.layers.rules import check, check_edges
from edgeflow.targets.mcu.settings import Settings

Lower = Callable[[Graph, Node, Settings], Sequence[Layer | View]]

OPERATORS: dict[str, Lower] = {
    "ADD": elementwise.add,
    "AVERAGE_POOL_2D": pools.pool_2d,
    "CONV_2D": conv.conv_2d,
    "DEPTHWISE_CONV_2D": conv.depthwise_conv_2d,
    "EXPAND_DIMS": shapes.view,
    "FULLY_CONNECTED": dense.fully_connected,
    "HARD_SWISH": tables.unary,
    "LEAKY_RELU": tables.unary,
    "LOGISTIC": tables.unary,
    "MAX_POOL_2D": pools.pool_2d,
    "MEAN": pools.mean,
    "MUL": elementwise.multiply,
    "QUANTIZE": tables.unary,
    "RELU": tables.unary,
    "RELU6": tables.unary,
    "RELU_N1_TO_1": tables.unary,
    "RESHAPE": shapes.view,
    "SOFTMAX": softmax.softmax,
    "SQUEEZE": shapes.view,
    "SUB": elementwise.add,
    "TANH": tables.unary,
}
"""What each operator becomes, by the schema's names."""


def lower(graph: Graph, settings: Settings) -> list[Layer | View]:
    """Return the layers of a network, in the order in which they run.

    Raises:
        CompileError: no kernel takes some of its operators, all of which are named, or the network
            takes or gives something else than int8.
    """
    check_edges(graph)
    found: list[Layer | View] = []
    refused: list[str] = []
    for node in graph.nodes:
        try:
            found += _lowered(graph, node, settings)
        except Unsupported as error:
            place = graph.tensors[node.outputs[0]].name or f"operator {node.index}"
            refused.append(f"{node.operator} at {place} {error.reason}: {error.advice}")
    if refused:
        raise CompileError(
            f"no kernel takes {len(refused)} of {len(graph.nodes)} operators: "
            + "; ".join(refused),
            hint="change these layers of the network, or choose another recipe or target",
        )
    return found


def _lowered(graph: Graph, node: Node, settings: Settings) -> Sequence[Layer | View]:
    if node.operator not in OPERATORS:
        raise Unsupported("has no kernel", f"use one of {', '.join(sorted(OPERATORS))}")
    check(graph, node)
    return OPERATORS[node.operator](graph, node, settings)
