"""A network in layers that HGQ2 has fixed-point forms for, and what builds it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(slots=True)
class Node:
    """A layer of the fixed-point network.

    Attributes:
        name: of the layer.
        layer: class of `hgq.layers` if it begins with Q, else of `keras.layers`.
        options: of the class, as JSON can hold them.
        inputs: names of the layers whose outputs it reads.
        weights: kernel and bias, float32, of a layer that has them.
    """

    name: str
    layer: str
    options: dict[str, Any] = field(default_factory=dict)
    inputs: list[str] = field(default_factory=list)
    weights: "list[np.ndarray[Any, Any]]" = field(default_factory=list)


@dataclass(slots=True)
class Graph:
    """A network in layers that HGQ2 has.

    Attributes:
        nodes: in the order in which they run.
        outputs: names of the layers that give the outputs.
        unknown: layers, with their types, that HGQ2 has no form for.
    """

    nodes: list[Node]
    outputs: list[str]
    unknown: list[str]

    def described(self) -> list[dict[str, Any]]:
        """Return the nodes as JSON holds them, with the number of their weights."""
        return [
            {
                "name": node.name,
                "layer": node.layer,
                "options": node.options,
                "inputs": node.inputs,
                "weights": len(node.weights),
            }
            for node in self.nodes
        ]

    def weights(self) -> "dict[str, np.ndarray[Any, Any]]":
        """Return all weights by the layer's name and their place."""
        return {
            f"{node.name}/{place}": array
            for node in self.nodes
            for place, array in enumerate(node.weights)
        }


class UnknownError(Exception):
    """A layer has no form; the text says what of it has none, empty for all of it."""


class Builder:
    """Collects the nodes of a graph.

    Attributes:
        keras: module of the network that is read.
        nodes: by name.
    """

    def __init__(self, keras: Any) -> None:
        self.keras = keras
        self.nodes: dict[str, Node] = {}

    def add(
        self,
        name: str,
        layer: str,
        inputs: Sequence[str] = (),
        weights: Sequence[Any] = (),
        **options: Any,
    ) -> str:
        """Add a node, and return its name: numbered if there is one of that name."""
        number, free = 1, name
        while free in self.nodes:
            number, free = number + 1, f"{name}_{number}"
        arrays = [np.asarray(array, np.float32) for array in weights]
        self.nodes[free] = Node(free, layer, options, list(inputs), arrays)
        return free

    def shape(self, layer: Any) -> tuple[int, ...]:
        """Return the shape of a layer's one input, without the batch."""
        return tuple(layer.input_shape[1:])


Form = Callable[[Builder, Any, list[str]], str]
"""Adds a layer that reads the nodes of these names, and returns the node that gives its output."""
