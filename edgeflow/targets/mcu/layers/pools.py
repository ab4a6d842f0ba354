"""Pools and means."""

import math
from collections.abc import Iterator
from dataclasses import replace

from edgeflow.targets.mcu.fixed_point import multiplier
from edgeflow.targets.mcu.graph import Graph, Node
from edgeflow.targets.mcu.layers import windows
from edgeflow.targets.mcu.layers.base import Layer, Unsupported, fused_range
from edgeflow.targets.mcu.settings import Settings

KERNELS = {"AVERAGE_POOL_2D": "nn_average_pool", "MAX_POOL_2D": "nn_max_pool"}


def pool_2d(graph: Graph, node: Node, settings: Settings) -> list[Layer]:
    """Return the layer of an AVERAGE_POOL_2D or MAX_POOL_2D."""
    taps = int(node.options["filterHeight"]), int(node.options["filterWidth"])
    rows, columns = windows.sides(graph, node, taps)
    depth = graph.tensors[node.inputs[0]].shape[-1]
    low, high = fused_range(graph, node, node.outputs[0])
    undilated = {
        name: value
        for name, value in windows.values(rows, columns).items()
        if not name.startswith("dilation")
    }
    return [
        Layer(
            node=node,
            kernel=KERNELS[node.operator],
            values={
                "depth": depth,
                **undilated,
                **windows.padded(rows, columns),
                "low": low,
                "high": high,
            },
            arrays={},
            reads=(node.inputs[0],),
            writes=(node.outputs[0],),
            slack=(windows.slack(rows, columns, (depth, depth), by_channel=True),),
            notes=(f"windows of {taps[0]}x{taps[1]}",),
        )
    ]


def reduce_max(graph: Graph, node: Node, settings: Settings) -> list[Layer]:
    """Return the layer of a REDUCE_MAX: a pool whose windows are all that is reduced."""
    (read, _), (write,) = node.inputs, node.outputs
    source, over = graph.tensors[read], _reduced(graph, node)
    first, last = min(over, default=0), max(over, default=-1)
    if len(over) != last + 1 - first:
        raise Unsupported("is over axes apart from each other", "take one maximum after another")
    rows, count = math.prod(source.shape[:first]), math.prod(source.shape[first : last + 1])
    depth = math.prod(source.shape[last + 1 :])
    window = {"filterHeight": 1, "filterWidth": count, "strideH": 1, "strideW": count}
    pool = replace(
        node,
        operator="MAX_POOL_2D",
        inputs=(0,),
        outputs=(1,),
        options={**window, "fusedActivationFunction": 0},
    )
    images = (
        replace(source, shape=(1, rows, count, depth)),
        replace(graph.tensors[write], shape=(1, rows, 1, depth)),
    )
    small = Graph(tensors=images, nodes=(pool,), inputs=(0,), outputs=(1,))
    return [
        replace(layer, node=node, reads=(read,), writes=(write,))
        for layer in pool_2d(small, pool, settings)
    ]


def mean(graph: Graph, node: Node, settings: Settings) -> list[Layer]:
    """Return the layer of a MEAN.

    Source of the arithmetic: `QuantizedMeanOrSum` in
    tensorflow/lite/kernels/internal/reference/reduce.h.
    """
    source, target = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
    over = _reduced(graph, node)
    count = math.prod(source.shape[axis] for axis in over)
    q, shift = _divided(*multiplier(source.scale / target.scale), count)
    return [
        Layer(
            node=node,
            kernel="nn_mean",
            values={
                **_loops(source.shape, over),
                "start": -count * source.zero_point,
                "multiplier": q,
                "shift": shift,
                "zero_point": target.zero_point,
            },
            arrays={},
            reads=(node.inputs[0],),
            writes=(node.outputs[0],),
            # All that a mean is of begins at its own place or later.
            slack=(0,),
            notes=(f"means of {count} values",),
        )
    ]


def _reduced(graph: Graph, node: Node) -> set[int]:
    """Return the axes over which values become one."""
    rank, axes = len(graph.tensors[node.inputs[0]].shape), graph.tensors[node.inputs[1]].data
    return set() if axes is None else {int(axis) % rank for axis in axes.ravel()}


def _divided(q: int, shift: int, count: int) -> tuple[int, int]:
    """Return a multiplier divided by how many values are added."""
    left = min(count.bit_length() - 1, 32, 31 + shift)
    return (q << left) // count, shift - left


def _loops(shape: tuple[int, ...], over: set[int]) -> dict[str, int]:
    kept = list(_merged(shape, over, reduced=False))
    gone = list(_merged(shape, over, reduced=True))
    if max(len(kept), len(gone)) > 2:
        raise Unsupported("is over axes apart from each other", "take one mean after another")
    names = {"outer": kept, "inner": kept, "rows": gone, "columns": gone}
    padded = {name: [(1, 0)] * (2 - len(loops)) + loops for name, loops in names.items()}
    chosen = {name: loops[name in {"inner", "columns"}] for name, loops in padded.items()}
    return {name: size for name, (size, _) in chosen.items()} | {
        f"{name}_step": step for name, (_, step) in chosen.items()
    }


def _merged(shape: tuple[int, ...], over: set[int], *, reduced: bool) -> Iterator[tuple[int, int]]:
    """Yield size and step of the axes of a kind, neighbours as one."""
    axes = [axis for axis, size in enumerate(shape) if size > 1]
    start = 0
    while start < len(axes):
        end = start
        while end < len(axes) and (axes[end] in over) == (axes[start] in over):
            end += 1
        if (axes[start] in over) == reduced:
            size = math.prod(shape[axis] for axis in axes[start:end])
            yield size, math.prod(shape[axes[end - 1] + 1 :])
        start = end
