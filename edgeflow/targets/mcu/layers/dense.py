"""Fully connected layers."""

import numpy as np

from edgeflow.targets.mcu.fixed_point import multiplier
from edgeflow.targets.mcu.graph import Graph, Node
from edgeflow.targets.mcu.layers.base import Layer, Unsupported, fused_range
from edgeflow.targets.mcu.settings import Settings


def fully_connected(graph: Graph, node: Node, settings: Settings) -> list[Layer]:
    """Return the layer of a FULLY_CONNECTED."""
    source, weights = (graph.tensors[place] for place in node.inputs[:2])
    target = graph.tensors[node.outputs[0]]
    if weights.data is None:
        raise Unsupported("has weights that are no constants", "make them constants")
    if len(weights.scales) != 1:
        raise Unsupported("has a scale for each channel", "quantize dense layers per tensor")
    units, width = weights.shape
    bias = np.zeros(units, np.int64)
    if len(node.inputs) > 2 and node.inputs[2] >= 0:
        bias += np.asarray(graph.tensors[node.inputs[2]].data, np.int64)
    # The input's zero point is taken out of every product once and for all.
    bias -= source.zero_point * weights.data.astype(np.int64).sum(axis=1)
    q, shift = multiplier(source.scale * weights.scale / target.scale)
    low, high = fused_range(graph, node, node.outputs[0])
    batches = source.size // width
    return [
        Layer(
            node=node,
            kernel="nn_dense",
            values={
                "batches": batches,
                "inputs": width,
                "units": units,
                "multiplier": q,
                "shift": shift,
                "zero_point": target.zero_point,
                "low": low,
                "high": high,
            },
            arrays={"weights": weights.data, "bias": bias.astype(np.int32)},
            reads=(node.inputs[0],),
            writes=(node.outputs[0],),
            slack=(None,),
            macs=batches * units * width,
            notes=(f"multiplier {q} / 2^31 * 2^{shift}",),
        )
    ]
