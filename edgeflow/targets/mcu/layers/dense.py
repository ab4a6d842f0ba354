"""Fully connected layers."""

from dataclasses import replace

import numpy as np

from edgeflow.targets.mcu.fixed_point import double_multiplier
from edgeflow.targets.mcu.graph import Graph, Node
from edgeflow.targets.mcu.layers.base import Layer
from edgeflow.targets.mcu.layers.products import Products, alternating, products
from edgeflow.targets.mcu.layers.unrolled import unrolled
from edgeflow.targets.mcu.settings import Settings


def fully_connected(graph: Graph, node: Node, settings: Settings) -> list[Layer]:
    """Return the layer of a FULLY_CONNECTED."""
    found = products(graph, node, axis=0)
    rows = graph.tensors[node.inputs[0]].size // found.weights.shape[1]
    if settings.profile == "litert-ref":
        layer = dense(node, _in_double(found), rows, "nn_dense_once")
    else:
        layer = dense(node, found, rows)
    return [unrolled(layer, found) if settings.mode == "unrolled" else layer]


def _in_double(found: Products) -> Products:
    factors = np.array([double_multiplier(scale) for scale in found.scales], np.int32)
    q, rests, shifts = factors.T
    arrays = {"multipliers": q, "rests": rests, "shifts": shifts.astype(np.int8)}
    return replace(found, arrays=arrays)


def dense(node: Node, found: Products, rows: int, kernel: str = "nn_dense") -> Layer:
    """Return the layer that multiplies the weights by each of `rows` vectors."""
    units, inputs = found.weights.shape
    return Layer(
        node=node,
        kernel=kernel,
        values={"rows": rows, "inputs": inputs, "units": units, **found.values},
        arrays={
            "weights": alternating(found.weights),
            "bias": found.folded,
            **found.arrays,
        },
        reads=(node.inputs[0],),
        writes=(node.outputs[0],),
        # A row is read until its last outputs are written.
        slack=(max(units, rows * units - (rows - 1) * inputs),),
        macs=rows * units * inputs,
        notes=found.notes,
    )
