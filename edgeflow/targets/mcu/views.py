"""Views, which take no code: one place in memory for all tensors that are views of each other."""

from collections.abc import Sequence
from dataclasses import replace

from edgeflow.targets.mcu.graph import Graph, Node
from edgeflow.targets.mcu.layers.base import Layer, View
from edgeflow.targets.mcu.layers.moves import copy_rows


def without_views(graph: Graph, items: Sequence[Layer | View]) -> list[Layer]:
    """Return the layers alone, each reading and writing one tensor for all views of it.

    What the caller passes, and constants, keep their places; otherwise an output of the network is
    written at once. An output that another tensor stands for is copied at the end.
    """
    groups: dict[int, list[int]] = {}
    for item in items:
        if isinstance(item, View):
            # Each view is written once, so it is in no group yet.
            group = groups.setdefault(item.read, [item.read])
            group.append(item.write)
            groups[item.write] = group
    chosen = {place: _chosen(graph, group) for place, group in groups.items()}
    layers = [
        replace(
            item,
            reads=tuple(chosen.get(one, one) for one in item.reads),
            writes=tuple(chosen.get(one, one) for one in item.writes),
        )
        for item in items
        if isinstance(item, Layer)
    ]
    return layers + [
        _copy(graph, chosen[output], output)
        for output in graph.outputs
        if chosen.get(output, output) != output
    ]


def _chosen(graph: Graph, group: Sequence[int]) -> int:
    """Return the tensor that stands for all of a group; the first is no view."""
    first = group[0]
    if first in graph.inputs or graph.tensors[first].data is not None:
        return first
    return next((one for one in group if one in graph.outputs), first)


def _copy(graph: Graph, read: int, write: int) -> Layer:
    node = Node(
        index=len(graph.nodes), operator="COPY", inputs=(read,), outputs=(write,), options={}
    )
    size = graph.tensors[read].size
    return copy_rows(node, read, write, 1, (size, size, 0))
