"""A network in layers that tfmot can train with rounding, computing what it did.

Arithmetic on tensors becomes layers, models within the model are opened, one-dimensional
convolutions become two-dimensional ones, activations that cannot be fused stand alone, and a batch
normalization that follows no convolution is folded or becomes a depthwise one of 1x1.
"""

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from edgeflow.compress.plain_rules import ELEMENTWISE, RULES


def plain(keras: Any, model: Any) -> Any:
    """Return a functional model of plain layers, each with a copy of the weights.

    What is random in training alone (noise, augmentation) is left out. Layers without a rule are
    copied as they are.
    """
    functional = keras.Model(model.inputs, model.outputs)
    inputs = [keras.Input(tensor.shape[1:], name=tensor.node.layer.name) for tensor in model.inputs]
    outputs = Walk(keras, _uses(keras, functional)).run(functional, inputs)
    return keras.Model(inputs, outputs, name=model.name)


def _uses(keras: Any, model: Any) -> Counter[int]:
    """Return how often each layer is used, by id, also within models that are used themselves."""
    uses: Counter[int] = Counter()
    for node in itertools.chain(*model._nodes_by_depth.values()):
        uses[id(node.layer)] += 0 if node.is_input else 1
        if isinstance(node.layer, keras.Model):
            uses += _uses(keras, keras.Model(node.layer.inputs, node.layer.outputs))
    return uses


class Walk:
    """Rebuilds a network, tensor by tensor.

    Attributes:
        folded: batch normalizations that the layer before them has taken in, by id.
    """

    def __init__(self, keras: Any, uses: Mapping[int, int]) -> None:
        self.keras = keras
        self._uses = uses
        self.folded: set[int] = set()
        self._names: set[str] = set()
        self._copies: dict[int, Any] = {}
        self._wide: dict[int, tuple[Any, Any]] = {}

    def run(self, model: Any, inputs: Sequence[Any]) -> list[Any]:
        """Return the outputs of a model for new inputs."""
        import tensorflow as tf

        made = dict(zip(map(id, model.inputs), inputs, strict=True))
        for depth in sorted(model._nodes_by_depth, reverse=True):
            for node in model._nodes_by_depth[depth]:
                if node.is_input:
                    continue
                given = (node.call_args, node.call_kwargs)
                args, kwargs = tf.nest.map_structure(lambda v: made.get(id(v), v), given)
                outputs = tf.nest.flatten(self.call(node.layer, args, kwargs))
                made.update(zip(map(id, tf.nest.flatten(node.outputs)), outputs, strict=True))
        return [made[id(tensor)] for tensor in model.outputs]

    def call(self, layer: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Return what a layer gives for new inputs, in plain layers."""
        import tensorflow as tf

        kind = type(layer).__name__
        if isinstance(layer, self.keras.Model):
            inner = self.keras.Model(layer.inputs, layer.outputs)
            return self.run(inner, tf.nest.flatten(args[0]))
        if kind in ELEMENTWISE and id(args[0]) in self._wide:
            return self.narrow(self.call(layer, (self.wide(args[0]),), kwargs))
        rule = RULES.get(kind)
        made = rule(self, layer, args, kwargs) if rule else None
        return self.copied(layer, args, kwargs) if made is None else made

    def is_shared(self, layer: Any) -> bool:
        """Return whether a layer is used more than once."""
        return self._uses[id(layer)] > 1

    def copied(
        self, layer: Any, args: Sequence[Any], kwargs: Mapping[str, Any], **changed: Any
    ) -> Any:
        """Return the output of a layer's one copy, with some of its options changed."""
        if id(layer) in self._copies:
            return self._copies[id(layer)](*args, **kwargs)
        config = {**layer.get_config(), **changed, "name": self.named(layer.name)}
        copy = self._copies[id(layer)] = type(layer).from_config(config)
        outputs = copy(*args, **kwargs)
        copy.set_weights(layer.get_weights())
        return outputs

    def add(
        self, kind: str, x: Any, weights: Sequence[Any] = (), *, name: str = "", **config: Any
    ) -> Any:
        """Return the output of a new layer of Keras."""
        made = getattr(self.keras.layers, kind)
        layer = made(name=self.named(name or kind.lower()), **config)
        y = layer(x)
        if weights:
            layer.set_weights(list(weights))
        return y

    def named(self, name: str) -> str:
        """Return the name, numbered if a layer has it already."""
        number, free = 1, name
        while free in self._names:
            number, free = number + 1, f"{name}_{number}"
        self._names.add(free)
        return free

    def wide(self, x: Any) -> Any:
        """Return (n, steps, channels) as (n, steps, 1, channels)."""
        if id(x) in self._wide:
            return self._wide[id(x)][1]
        return self.add("Reshape", x, target_shape=(x.shape[1], 1, x.shape[2]))

    def narrow(self, x: Any) -> Any:
        """Return (n, steps, 1, channels) as (n, steps, channels)."""
        y = self.add("Reshape", x, target_shape=(x.shape[1], x.shape[3]))
        self._wide[id(y)] = (y, x)
        return y
