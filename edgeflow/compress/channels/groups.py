"""Walks through a functional network: where each channel comes from and goes to."""

from dataclasses import dataclass
from typing import Any

from edgeflow.compress.channels.layers import Wire, follow
from edgeflow.compress.channels.ties import Channels, Ties


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """Where the channels of a network are.

    Attributes:
        count: channels are numbered below this.
        inputs: by name of a layer, the channels of its first input. Layers that cannot be followed
            are missing here and in `outputs`, and nothing they touch is in a group.
        outputs: by name of a layer, the channels of its output.
        groups: what can be pruned, each the numbers of its channels in ascending order.
    """

    count: int
    inputs: dict[str, Channels]
    outputs: dict[str, Channels]
    groups: list[Channels]


def find_groups(keras: Any, model: Any) -> Layout:
    """Return the channels of a functional network whose layers are used once each."""
    ties = Ties()
    channels: dict[int, Channels] = {}  # by tensor
    inputs, outputs = {}, {}
    for layer in model.layers:  # in topological order
        node = layer.inbound_nodes[0]
        wires = [Wire(tensor.shape, channels[id(tensor)]) for tensor in node.keras_inputs]
        followed = follow(keras, layer, ties, wires)
        if followed is None:
            channels.update(_opaque(ties, node, wires))
        else:
            inputs[layer.name], outputs[layer.name] = wires[0].channels, followed
            channels[id(node.outputs)] = followed
    for tensor in model.outputs:
        ties.freeze(channels[id(tensor)])
    return Layout(
        count=len(ties),
        inputs={name: ties.settled(carried) for name, carried in inputs.items()},
        outputs={name: ties.settled(carried) for name, carried in outputs.items()},
        groups=ties.groups(),
    )


def _opaque(ties: Ties, node: Any, wires: list[Wire]) -> dict[int, Channels]:
    """Keep all that goes into a layer and comes out of it."""
    import tensorflow as tf

    for wire in wires:
        ties.freeze(wire.channels)
    made = {}
    for tensor in tf.nest.flatten(node.outputs):
        made[id(tensor)] = ties.open(int(tensor.shape[-1] or 0) if len(tensor.shape) > 1 else 0)
        ties.freeze(made[id(tensor)])
    return made
