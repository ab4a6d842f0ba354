"""Slices and transpositions: a view of the input, copied."""

from collections.abc import Callable, Sequence
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from edgeflow.targets.mcu.graph import Graph, Node
from edgeflow.targets.mcu.layers.base import Layer, View, slack
from edgeflow.targets.mcu.layers.moves import constants, numbered
from edgeflow.targets.mcu.settings import Settings

Indices = NDArray[np.int64]


def slice_(graph: Graph, node: Node, settings: Settings) -> list[Layer | View]:
    """Return the layer of a SLICE."""
    begins = constants(graph, node, 1)
    sizes = graph.tensors[node.outputs[0]].shape
    index = tuple(slice(n, n + size) for n, size in zip(begins, sizes, strict=True))
    return [pick(graph, node, node.inputs[0], node.outputs[0], lambda x: x[index])]


def strided_slice(graph: Graph, node: Node, settings: Settings) -> list[Layer | View]:
    """Return the layer of a STRIDED_SLICE."""
    spans = zip(*(constants(graph, node, number) for number in (1, 2, 3)), strict=True)
    index = tuple(_index(node, axis, *span) for axis, span in enumerate(spans))
    return [pick(graph, node, node.inputs[0], node.outputs[0], lambda x: x[index])]


def _index(node: Node, axis: int, begin: int, end: int, stride: int) -> slice | int:
    """Return what a dimension is indexed by, as Python does it."""
    from_first, to_last, shrinks = (
        node.options[f"{name}Mask"] >> axis & 1 for name in ("begin", "end", "shrinkAxis")
    )
    if shrinks:
        return 0 if from_first else begin
    return slice(None if from_first else begin, None if to_last else end, stride)


def split(graph: Graph, node: Node, settings: Settings) -> list[Layer | View]:
    """Return a layer for each output of a SPLIT or SPLIT_V."""
    source, of_axis = (0, 2) if node.operator == "SPLIT_V" else (1, 0)
    read = node.inputs[source]
    axis = constants(graph, node, of_axis)[0] % len(graph.tensors[read].shape)
    sizes = [graph.tensors[output].shape[axis] for output in node.outputs]
    ends = list(accumulate(sizes))

    def part(n: int) -> Callable[[Indices], Indices]:
        return lambda x: np.split(x, ends[:-1], axis)[n]

    return [pick(graph, node, read, output, part(n)) for n, output in enumerate(node.outputs)]


def unpack(graph: Graph, node: Node, settings: Settings) -> list[Layer | View]:
    """Return a layer for each output of an UNPACK."""
    before = (slice(None),) * (node.options["axis"] % len(graph.tensors[node.inputs[0]].shape))

    def part(n: int) -> Callable[[Indices], Indices]:
        return lambda x: x[(*before, n)]

    return [
        pick(graph, node, node.inputs[0], output, part(n)) for n, output in enumerate(node.outputs)
    ]


def transpose(graph: Graph, node: Node, settings: Settings) -> list[Layer | View]:
    """Return the layer of a TRANSPOSE."""
    axes = constants(graph, node, 1)
    return [pick(graph, node, node.inputs[0], node.outputs[0], lambda x: x.transpose(axes))]


def pick(
    graph: Graph, node: Node, read: int, write: int, view: Callable[[Indices], Indices]
) -> Layer | View:
    """Return the layer that copies what a view of the input shows, or just that view.

    Args:
        graph: with the tensors.
        node: the operator.
        read: place of the input.
        write: place of the output.
        view: makes a view of an array of the input's shape.
    """
    indices = np.arange(graph.tensors[read].size).reshape(graph.tensors[read].shape)
    picked = view(indices)
    order = picked.ravel()
    if np.array_equal(order, indices.ravel()):
        return View(node=node, read=read, write=write)
    strides = [stride // indices.itemsize for stride in picked.strides]
    loops = _merged(list(zip(picked.shape, strides, strict=True)))
    return Layer(
        node=node,
        kernel="nn_pick",
        values={"offset": int(order[0])} | numbered(("size", "stride"), loops, (1, 0)),
        arrays={},
        reads=(read,),
        writes=(write,),
        slack=(slack(order),),
    )


def _merged(dimensions: Sequence[tuple[int, int]]) -> list[tuple[int, ...]]:
    """Return as few dimensions as possible of size and stride, the outermost first."""
    found: list[tuple[int, ...]] = []
    for size, stride in dimensions:
        if found and found[-1][1] == size * stride:
            found[-1] = (found[-1][0] * size, stride)
        elif size > 1:
            found.append((size, stride))
    return found
