"""Operators that only rename the shape of a tensor."""

from edgeflow.targets.mcu.graph import Graph, Node
from edgeflow.targets.mcu.layers.base import View
from edgeflow.targets.mcu.settings import Settings


def view(graph: Graph, node: Node, settings: Settings) -> list[View]:
    """Return the output as the input under another shape."""
    return [View(node=node, read=node.inputs[0], write=node.outputs[0])]
