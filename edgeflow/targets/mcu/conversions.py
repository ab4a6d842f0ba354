"""Conversions to float and back inside of a network, which the C does without.

Converters leave some operators in float: those that have no int8 form, and some that only move
values. What follows them is converted back.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeflow.targets.mcu.graph import Graph, Node, Tensor

IN_FLOAT = "inFloat"
"""Option of an operator that the file has between a DEQUANTIZE and a QUANTIZE."""
_BETWEEN = {"ELU"}
_MOVES = {
    "EXPAND_DIMS": 0,
    "RESHAPE": 0,
    "SLICE": 0,
    "SPLIT": 1,
    "SPLIT_V": 0,
    "SQUEEZE": 0,
    "STRIDED_SLICE": 0,
    "TRANSPOSE": 0,
    "UNPACK": 0,
}
"""Operators that move values, and which input has these."""


def without_conversions(graph: Graph) -> Graph:
    """Return a graph in which constants are converted, and int8 stands for float where it can."""
    return _moved(_joined(_folded(graph)))


def quantized(values: NDArray[Any], target: Tensor) -> NDArray[np.int8]:
    """Return float32 values as int8: `AffineQuantize` of TensorFlow Lite."""
    with np.errstate(over="ignore"):
        steps = (values / np.float32(target.scale)).astype(np.float64)
    whole = np.trunc(steps + np.copysign(0.5, steps)) + target.zero_point
    return np.asarray(np.clip(whole, -128, 127), np.int8)


def dequantized(codes: NDArray[Any], source: Tensor) -> NDArray[np.float32]:
    """Return int8 values as float32."""
    return (codes.astype(np.float32) - source.zero_point) * np.float32(source.scale)


def _folded(graph: Graph) -> Graph:
    """Return a graph whose converted constants are constants."""
    tensors, nodes = list(graph.tensors), []
    for node in graph.nodes:
        data = None if {*node.outputs} & {*graph.outputs} else _constant(tensors, node)
        if data is None:
            nodes.append(node)
        else:
            place = node.outputs[0]
            tensors[place] = replace(tensors[place], data=data)
    return replace(graph, tensors=tuple(tensors), nodes=tuple(nodes))


def _constant(tensors: Sequence[Tensor], node: Node) -> NDArray[Any] | None:
    if not _converts(tensors, node):
        return None
    source, target = tensors[node.inputs[0]], tensors[node.outputs[0]]
    if source.data is None or not np.isfinite(source.data).all():
        return None
    if node.operator == "QUANTIZE":
        return quantized(source.data, target)
    return dequantized(source.data, source)


def _converts(tensors: Sequence[Tensor], node: Node) -> bool:
    """Return whether a node converts between float32 and int8 of one scale."""
    if node.operator not in {"QUANTIZE", "DEQUANTIZE"}:
        return False
    if len(node.inputs) != 1 or len(node.outputs) != 1:
        return False
    pair = tensors[node.inputs[0]], tensors[node.outputs[0]]
    real, integer = pair if node.operator == "QUANTIZE" else pair[::-1]
    return (
        (real.dtype, integer.dtype) == ("float32", "int8")
        and real.shape == integer.shape
        and len(integer.scales) == 1
        and integer.scale > 0
    )


def _joined(graph: Graph) -> Graph:
    """Return a graph in which one node stands for a DEQUANTIZE, a function and a QUANTIZE."""
    readers = _readers(graph)
    joined: dict[int, Node | None] = {}
    for node in graph.nodes:
        chain = _chain(graph, node, readers)
        if chain:
            options = {**chain[1].options, IN_FLOAT: True}
            joined |= {chain[0].index: None, chain[1].index: None}
            joined[chain[2].index] = replace(
                chain[1], inputs=chain[0].inputs, outputs=chain[2].outputs, options=options
            )
    nodes = (joined.get(node.index, node) for node in graph.nodes)
    return replace(graph, nodes=tuple(node for node in nodes if node))


def _chain(graph: Graph, first: Node, readers: dict[int, list[Node]]) -> list[Node]:
    """Return a DEQUANTIZE, a function and a QUANTIZE that nothing else reads of, or nothing."""
    if first.operator != "DEQUANTIZE" or not _converts(graph.tensors, first):
        return []
    found = [first]
    while len(found) < 3:
        following = readers.get(found[-1].outputs[0], [])
        if len(following) != 1 or found[-1].outputs[0] in graph.outputs:
            return []
        if len(following[0].inputs) != 1 or len(following[0].outputs) != 1:
            return []
        found += following
    is_known = found[1].operator in _BETWEEN and found[2].operator == "QUANTIZE"
    return found if is_known and _converts(graph.tensors, found[2]) else []


def _readers(graph: Graph) -> dict[int, list[Node]]:
    readers: dict[int, list[Node]] = {}
    for node in graph.nodes:
        for place in node.inputs:
            readers.setdefault(place, []).append(node)
    return readers


def _moved(graph: Graph) -> Graph:
    """Return a graph that moves int8 where the file moves float between conversions."""
    movable = _movable(graph)
    tensors, nodes = list(graph.tensors), []
    for node in graph.nodes:
        if node.operator == "DEQUANTIZE" and {*node.outputs} <= movable:
            node = replace(node, operator="RESHAPE", kind="", options={})
        elif node.operator == "QUANTIZE" and {*node.inputs} <= movable:
            node = replace(node, options={**node.options, IN_FLOAT: True})
        nodes.append(node)
        for place in movable & {*node.outputs}:
            source = tensors[node.inputs[_MOVES[node.operator]]]
            tensors[place] = replace(
                tensors[place],
                dtype=source.dtype,
                scales=source.scales,
                zero_points=source.zero_points,
            )
    return replace(graph, tensors=tuple(tensors), nodes=tuple(nodes))


def _moved_place(node: Node) -> int | None:
    """Return the tensor whose values a node moves."""
    number = _MOVES.get(node.operator)
    return None if number is None or number >= len(node.inputs) else node.inputs[number]


def _movable(graph: Graph) -> set[int]:
    """Return the float tensors that come from a DEQUANTIZE and end in QUANTIZE, moved at most."""
    readers = _readers(graph)
    ending: set[int] = set()

    def ends(reader: Node, place: int) -> bool:
        if reader.operator == "QUANTIZE":
            return _converts(graph.tensors, reader)
        return _moved_place(reader) == place and {*reader.outputs} <= ending

    for node in reversed(graph.nodes):
        for place in set(node.outputs) - {*graph.outputs}:
            if all(ends(reader, place) for reader in readers.get(place, [])):
                ending.add(place)
    starting: set[int] = set()
    for node in graph.nodes:
        moves = _moved_place(node) in starting
        if moves or (node.operator == "DEQUANTIZE" and _converts(graph.tensors, node)):
            starting |= ending & {*node.outputs}
    return starting
