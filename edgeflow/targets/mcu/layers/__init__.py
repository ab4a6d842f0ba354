"""Operators of a .tflite as layers of C; one file for each family."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edgeflow.errors import CompileError
from edgeflow.targets.mcu.flatbuffer import LARGEST_BYTES
from edgeflow.targets.mcu.graph import Graph, Node
from edgeflow.targets.mcu.layers import (
    cmsis,
    conv,
    dense,
    dsp,
    elementwise,
    lstm,
    moves,
    picks,
    pools,
    shapes,
    softmax,
    tables,
)
from edgeflow.targets.mcu.layers.base import Layer, Unsupported, View
from edgeflow.targets.mcu.layers.rules import check, check_edges
from edgeflow.targets.mcu.settings import Settings

Lower = Callable[[Graph, Node, Settings], Sequence[Layer | View]]

OPERATORS: dict[str, Lower] = {
    "ADD": elementwise.add,
    "AVERAGE_POOL_2D": pools.pool_2d,
    "CONCATENATION": moves.joined,
    "CONV_2D": conv.conv_2d,
    "DEPTHWISE_CONV_2D": conv.depthwise_conv_2d,
    "ELU": tables.unary,
    "EXPAND_DIMS": shapes.view,
    "FULLY_CONNECTED": dense.fully_connected,
    "HARD_SWISH": tables.unary,
    "LEAKY_RELU": tables.unary,
    "LOGISTIC": tables.unary,
    "MAXIMUM": elementwise.extreme,
    "MAX_POOL_2D": pools.pool_2d,
    "MEAN": pools.mean,
    "MINIMUM": elementwise.extreme,
    "MUL": elementwise.multiply,
    "PACK": moves.joined,
    "PAD": moves.pad,
    "PADV2": moves.pad,
    "PRELU": elementwise.prelu,
    "QUANTIZE": tables.unary,
    "REDUCE_MAX": pools.reduce_max,
    "RELU": tables.unary,
    "RELU6": tables.unary,
    "RELU_N1_TO_1": tables.unary,
    "RESHAPE": shapes.view,
    "RESIZE_NEAREST_NEIGHBOR": moves.resize_nearest,
    "SLICE": picks.slice_,
    "SOFTMAX": softmax.softmax,
    "SPLIT": picks.split,
    "SPLIT_V": picks.split,
    "SQUEEZE": shapes.view,
    "STRIDED_SLICE": picks.strided_slice,
    "SUB": elementwise.add,
    "TANH": tables.unary,
    "TRANSPOSE": picks.transpose,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": lstm.unidirectional_sequence_lstm,
    "UNPACK": picks.unpack,
}
"""What each operator becomes, by the schema's names."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """An operator that no kernel takes.

    Attributes:
        place: the operator and the tensor that it writes, such as ``EXP at net/exp``.
        reason: the rest of a sentence that begins with the operator.
        advice: what to change in the network.
        index: the operator's place in the file.
    """

    place: str
    reason: str
    advice: str
    index: int


def lower(graph: Graph, settings: Settings) -> list[Layer | View]:
    """Return the layers of a network, in the order in which they run.

    Raises:
        CompileError: no kernel takes some of its operators, all of which are named, or the network
            takes or gives something else than int8.
    """
    check_edges(graph)
    found, refused = attempt(graph, settings)
    if refused:
        raise CompileError(
            f"no kernel takes {len(refused)} of {len(graph.nodes)} operators: {_listed(refused)}",
            hint="change these layers of the network, or choose another recipe or target",
        )
    return found


def _listed(refused: Sequence[Refusal]) -> str:
    """Return them in one line, those of one reason together."""
    places: dict[tuple[str, str], list[str]] = {}
    for one in refused:
        places.setdefault((one.reason, one.advice), []).append(one.place)
    return "; ".join(
        f"{', '.join(found)} {reason}: {advice}" for (reason, advice), found in places.items()
    )


def attempt(graph: Graph, settings: Settings) -> tuple[list[Layer | View], list[Refusal]]:
    """Return the layers of the operators that kernels take, and the other operators.

    Raises:
        CompileError: an operator is of a form that no converter writes, or there is too much.
    """
    found: list[Layer | View] = []
    refused: list[Refusal] = []
    constants_bytes = 0
    for node in graph.nodes:
        if constants_bytes > LARGEST_BYTES:  # as where many operators share large weights
            raise CompileError(
                f"the code would have {constants_bytes} bytes of constants and more",
                hint="choose a smaller network",
            )
        try:
            found += (items := _lowered(graph, node, settings))
            constants_bytes += sum(one.weights_bytes for one in items if isinstance(one, Layer))
        except Unsupported as error:
            # Of an operator into which others were fused, the tensor has all their names.
            name = graph.tensors[node.outputs[0]].name.partition(";")[0]
            place = f"{node.operator} at {name or f'operator {node.index}'}"
            refusal = Refusal(
                place=place, reason=error.reason, advice=error.advice, index=node.index
            )
            refused.append(refusal)
    return found, refused


def instead_of(*unknown: str) -> str:
    """Return what to use in the place of operators that no kernel takes."""
    known = f"use one of {', '.join(sorted(OPERATORS))}"
    if "TILE" not in unknown:
        return known
    upsampling = "in the place of Keras's UpSampling2D, `tf.image.resize(x, size, 'nearest')`"
    return f"{upsampling}; or {known}"


def _lowered(graph: Graph, node: Node, settings: Settings) -> Sequence[Layer | View]:
    if node.operator not in OPERATORS:
        raise Unsupported("has no kernel", instead_of(node.operator))
    check(graph, node)
    try:
        with np.errstate(over="raise", divide="raise", invalid="raise"):
            return _best(graph, node, settings)
    except ArithmeticError as error:
        # Each scale is a number that a float32 holds; their products and quotients need not be.
        raise Unsupported("has scales that are too far apart", "calibrate it again") from error


def _best(graph: Graph, node: Node, settings: Settings) -> Sequence[Layer | View]:
    faster = None
    if not (settings.mode == "unrolled" and node.operator == "FULLY_CONNECTED"):
        faster = cmsis.lower(graph, node, settings) or dsp.lower(graph, node, settings)
    return [faster] if faster else OPERATORS[node.operator](graph, node, settings)
