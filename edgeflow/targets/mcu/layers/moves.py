"""Operators that move values and compute none."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgeflow.targets.mcu.graph import ABSENT, Graph, Node
from edgeflow.targets.mcu.layers.base import Layer, Unsupported, half_away, slack
from edgeflow.targets.mcu.settings import Settings

Indices = NDArray[np.int64]

_LOOPS = 4
"""Nested, of a kernel."""


def copy_rows(node: Node, read: int, write: int, rows: int, widths: tuple[int, int, int]) -> Layer:
    """Return the layer that copies rows into wider rows.

    Args:
        node: the operator.
        read: place of the input.
        write: place of the output.
        rows: of both.
        widths: bytes of the input's rows and of the output's, and where the former start there.
    """
    width, stride, offset = widths
    return Layer(
        node=node,
        kernel="nn_copy_rows",
        values={"rows": rows, "width": width, "stride": stride, "offset": offset},
        arrays={},
        reads=(read,),
        writes=(write,),
        slack=(offset + (rows - 1) * (stride - width),),
    )


def joined(graph: Graph, node: Node, settings: Settings) -> list[Layer]:
    """Return a layer for each input of a CONCATENATION or PACK."""
    target = graph.tensors[node.outputs[0]]
    rows = math.prod(target.shape[: node.options["axis"] % len(target.shape)])
    widths = [graph.tensors[source].size // rows for source in node.inputs]
    starts = [sum(widths[:number]) for number in range(len(widths))]
    return [
        copy_rows(node, source, node.outputs[0], rows, (width, sum(widths), start))
        for source, width, start in zip(node.inputs, widths, starts, strict=True)
    ]


def pad(graph: Graph, node: Node, settings: Settings) -> list[Layer]:
    """Return the layer of a PAD or PADV2."""
    source = graph.tensors[node.inputs[0]]
    sides = constants(graph, node, 1)
    paddings = list(zip(sides[::2], sides[1::2], strict=True))
    has_value = len(node.inputs) > 2 and node.inputs[2] != ABSENT
    value = constants(graph, node, 2)[0] if has_value else source.zero_point
    order = np.pad(np.arange(source.size).reshape(source.shape), paddings, constant_values=-1)
    levels = _padded(source.shape, paddings)
    return [
        Layer(
            node=node,
            kernel="nn_pad",
            values=numbered(("size", "before", "after"), levels, (1, 0, 0)) | {"value": value},
            arrays={},
            reads=node.inputs[:1],
            writes=node.outputs,
            slack=(slack(order.ravel()),),
        )
    ]


def constants(graph: Graph, node: Node, number: int) -> list[int]:
    """Return the values of an input that is a constant."""
    values = graph.tensors[node.inputs[number]].data
    return [] if values is None else [int(value) for value in values.ravel()]


def _padded(shape: Sequence[int], paddings: Sequence[tuple[int, int]]) -> list[tuple[int, ...]]:
    """Return size, bytes before and bytes after of as few dimensions as possible."""
    levels: list[tuple[int, ...]] = []
    step = 1  # of the dimension, in bytes of the output
    for size, (before, after) in zip(reversed(shape), reversed(paddings), strict=True):
        level = (size, before * step, after * step)
        if levels and levels[0][1:] == (0, 0):
            levels[0] = (size * levels[0][0], *level[1:])
        elif level != (1, 0, 0):
            levels.insert(0, level)
        step *= size + before + after
    return levels


def resize_nearest(graph: Graph, node: Node, settings: Settings) -> list[Layer]:
    """Return the layer of a RESIZE_NEAREST_NEIGHBOR."""
    source = graph.tensors[node.inputs[0]]
    _, height, width, depth = source.shape
    sizes = constants(graph, node, 1)
    rows, columns = (_nearest(node, *pair) for pair in zip((height, width), sizes, strict=True))
    order = np.arange(source.size).reshape(source.shape)[:, rows][:, :, columns]
    return [
        Layer(
            node=node,
            kernel="nn_resize_nearest",
            values={"height": sizes[0], "width": sizes[1], "depth": depth},
            arrays={
                "rows": (rows * width * depth).astype(np.int32),
                "columns": (columns * depth).astype(np.int32),
            },
            reads=node.inputs[:1],
            writes=node.outputs,
            slack=(slack(order.ravel()),),
        )
    ]


def _nearest(node: Node, size: int, wanted: int) -> Indices:
    """Return which of `size` pixels is the nearest to each of those that are wanted.

    Source: `GetNearestNeighbor` in
    tensorflow/lite/kernels/internal/reference/resize_nearest_neighbor.h, in float32.
    """
    corners, centers = (bool(node.options[key]) for key in ("alignCorners", "halfPixelCenters"))
    last = corners and wanted > 1
    scale = np.float32(size - last) / np.float32(wanted - last)
    at = (np.arange(wanted, dtype=np.float32) + np.float32(0.5 * centers)) * scale
    whole = [half_away(pixel) if corners else math.floor(pixel) for pixel in at.tolist()]
    return np.asarray(np.clip(whole, 0, size - 1), np.int64)


def numbered(
    names: Sequence[str], dimensions: Sequence[Sequence[int]], one: Sequence[int]
) -> dict[str, int]:
    """Return members of a kernel's parameters such as ``size0`` for each of its loops."""
    if len(dimensions) > _LOOPS:
        raise Unsupported("has too many dimensions", "reshape it to 4")
    padded = [one] * (_LOOPS - len(dimensions)) + list(dimensions)
    return {
        f"{name}{depth}": values[column]
        for column, name in enumerate(names)
        for depth, values in enumerate(padded)
    }
