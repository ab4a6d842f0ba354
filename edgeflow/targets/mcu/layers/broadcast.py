"""Loops over two tensors of which either may be repeated along some dimensions."""

import math
from collections.abc import Sequence

import numpy as np

from edgeflow.targets.mcu.graph import Graph
from edgeflow.targets.mcu.layers.base import Unsupported, slack

Dimension = tuple[int, int, int]
"""Size of the output, and strides of both operands: bytes, or 0 where one is repeated."""

_LOOPS = 4
"""Nested, of a kernel."""


def loops(graph: Graph, operands: Sequence[int], place: int) -> dict[str, int]:
    """Return sizes and strides of a kernel's loops: ``pairs.size0``, ``pairs.a0``, and so on.

    Args:
        graph: with the tensors.
        operands: places of the tensors A and B.
        place: of the output.

    Raises:
        Unsupported: more loops are needed than a kernel has.
    """
    found = _dimensions(graph, operands, place)
    if len(found) > _LOOPS:
        raise Unsupported("repeats its operands along too many dimensions", "reshape them")
    padded = [(1, 0, 0)] * (_LOOPS - len(found)) + found
    return {
        f"pairs.{name}{depth}": values[column]
        for column, name in enumerate(("size", "a", "b"))
        for depth, values in enumerate(padded)
    }


def slacks(graph: Graph, operands: Sequence[int], place: int) -> tuple[int, ...]:
    """Return by how many bytes the output must start before each operand to overwrite it."""
    found = _dimensions(graph, operands, place)
    return tuple(slack(_order([(size, of[n]) for size, *of in found])) for n in range(2))


def _order(dimensions: Sequence[tuple[int, int]]) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """Return which byte of an operand each byte of the output needs."""
    order = np.zeros(1, np.int64)
    for size, stride in dimensions:
        order = np.add.outer(order, np.arange(size) * stride).ravel()
    return order


def _dimensions(graph: Graph, operands: Sequence[int], place: int) -> list[Dimension]:
    """Return as few dimensions as possible, the outermost first."""
    shape = graph.tensors[place].shape
    pair = [graph.tensors[operand].shape for operand in operands]
    one, other = (_strides(operand, shape) for operand in pair)
    found: list[Dimension] = []
    for size, a, b in zip(shape, one, other, strict=True):
        if size == 1:
            continue
        if found and found[-1][1:] == (size * a, size * b):
            found[-1] = (found[-1][0] * size, a, b)
        else:
            found.append((size, a, b))
    return found or [(1, 0, 0)]


def _strides(operand: Sequence[int], shape: Sequence[int]) -> list[int]:
    full = [1] * (len(shape) - len(operand)) + list(operand)
    return [0 if size == 1 else math.prod(full[axis + 1 :]) for axis, size in enumerate(full)]
