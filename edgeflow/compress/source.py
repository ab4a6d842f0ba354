"""The float network, as the converters of all recipes start from it."""

import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from edgeflow.compress.debug.graph import callers
from edgeflow.compress.form import Form, flatbuffer_form, function_form, keras_form
from edgeflow.dataset.tensors import INPUT, OUTPUT, listed, numbered
from edgeflow.train.build import MODEL_FILE
from edgeflow.train.keras import load_keras, save_model

GRAPH_FILE = "graph.pb"
"""A frozen graph: a TensorFlow `GraphDef` whose weights are constants."""
FLATBUFFER_FILE = "model.tflite"


class Source(Protocol):
    """A float network with a static batch of 1.

    Embedded compilers and interpreters want every tensor's size at compile time.
    """

    def converter(self) -> Any:
        """Return a fresh `tf.lite.TFLiteConverter` for the network, or what takes its place."""

    def form(self) -> Form:
        """Return the network to run, to compare what was made of it."""

    def loops(self) -> list[str]:
        """Return the names of layers that run other graphs, such as those of a loop."""

    def save(self, folder: Path) -> Path:
        """Write the network into a folder, for `open_source`; return the file."""


class FloatModel:
    """A Keras model behind a signature with a static batch of 1."""

    def __init__(self, model: Any) -> None:
        self._model = model

    @cached_property
    def _function(self) -> Any:
        import tensorflow as tf

        shapes = [(1, *tensor.shape[1:]) for tensor in self._model.inputs]
        parts = [self._model, *self._model.submodules]
        function = tf.function(
            lambda *x: self._outputs(x[0] if len(x) == 1 else list(x)),
            # Only layers of others are rewritten; for Keras' own it is a fifth of the conversion.
            autograph=any(not type(part).__module__.startswith("tf_keras.") for part in parts),
        )
        return function.get_concrete_function(*signature(shapes))

    def _outputs(self, argument: Any) -> Any:
        """Return the outputs: those of several by names in order, for the converter sorts them."""
        found = listed(self._model(argument, training=False))
        names = numbered(OUTPUT, len(found))
        return found[0] if len(found) == 1 else dict(zip(names, found, strict=True))

    def converter(self) -> Any:
        """Return a fresh `tf.lite.TFLiteConverter` for the model."""
        return _converter(self._function, self._model)

    def form(self) -> Form:
        """Return the model to run."""
        return keras_form(self._model)

    def loops(self) -> list[str]:
        """Return the names of layers with loops."""
        return _callers(self._function.graph)

    def save(self, folder: Path) -> Path:
        """Write the model as .h5."""
        save_model(self._model, folder / MODEL_FILE)
        return folder / MODEL_FILE


class GraphModel:
    """A frozen graph, as `frozen` of `edgeflow.imported.freeze` makes it."""

    def __init__(self, graph: bytes) -> None:
        import tensorflow as tf

        self._graph = graph
        definition = tf.compat.v1.GraphDef.FromString(graph)
        self._wrapped = tf.compat.v1.wrap_function(
            lambda: tf.graph_util.import_graph_def(definition, name=""), []
        )
        feeds, fetches = ends(definition)
        self.function = self._wrapped.prune([f"{name}:0" for name in feeds], fetches)

    def converter(self) -> Any:
        """Return a fresh `tf.lite.TFLiteConverter` for the graph."""
        return _converter(self.function, self._wrapped)

    def form(self) -> Form:
        """Return the graph to run."""
        return function_form(self.run)

    def run(self, *sample: Any) -> list[Any]:
        """Return the outputs by position for tensors with a batch of 1."""
        import tensorflow as tf

        outputs: list[Any] = tf.nest.flatten(self.function(*sample))
        return outputs

    def loops(self) -> list[str]:
        """Return the names of operators with loops."""
        return _callers(self.function.graph)

    def save(self, folder: Path) -> Path:
        """Write the graph as it was given."""
        (folder / GRAPH_FILE).write_bytes(self._graph)
        return folder / GRAPH_FILE


class FlatbufferModel:
    """A float .tflite."""

    def __init__(self, flatbuffer: bytes) -> None:
        self._flatbuffer = flatbuffer

    def converter(self) -> Any:
        """Return what quantizes the .tflite, with the settings of a `tf.lite.TFLiteConverter`."""
        from edgeflow.compress.flatbuffer import flatbuffer_converter

        return flatbuffer_converter(self._flatbuffer)

    def form(self) -> Form:
        """Return the .tflite to run."""
        return flatbuffer_form(self._flatbuffer)

    def loops(self) -> list[str]:
        """Return the operators that run other graphs."""
        return callers(self._flatbuffer)

    def save(self, folder: Path) -> Path:
        """Write the .tflite as it was given."""
        (folder / FLATBUFFER_FILE).write_bytes(self._flatbuffer)
        return folder / FLATBUFFER_FILE


def open_source(path: Path) -> Source:
    """Return the network in a .h5 file of Keras 2, a frozen graph or a .tflite."""
    if path.name == MODEL_FILE:
        return FloatModel(load_keras(seed=0).models.load_model(path, compile=False))
    kind = GraphModel if path.name == GRAPH_FILE else FlatbufferModel
    return kind(path.read_bytes())


def signature(shapes: Sequence[Sequence[int | None]]) -> list[Any]:
    """Return the specifications of a function's float32 arguments, named in their order."""
    import tensorflow as tf

    names = numbered(INPUT, len(shapes))
    pairs = zip(names, shapes, strict=True)
    return [tf.TensorSpec(shape, tf.float32, name=name) for name, shape in pairs]


def ends(graph: Any) -> tuple[list[str], Any]:
    """Return the names of a frozen graph's inputs, and what to fetch as its outputs.

    Several outputs are fetched by names in order, for the converter sorts them.
    """
    names = {node.name for node in graph.node}
    feeds = sorted(node.name for node in graph.node if node.op == "Placeholder")
    several = sorted(name for name in names if re.fullmatch(rf"{OUTPUT}_\d\d", name))
    return feeds, {name: f"{name}:0" for name in several} if several else "Identity:0"


def _converter(concrete: Any, owner: Any) -> Any:
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], owner)
    # The way over a SavedModel takes ten times as long and gives a straight network the same
    # weights and outputs. Recurrent ones need it: their int8 conversion crashes without.
    converter.experimental_lower_to_saved_model = bool(_callers(concrete.graph))
    return converter


def _callers(graph: Any) -> list[str]:
    """Return the layers whose operators run other graphs: loops, branches, functions."""
    named = [op.name for op in graph.get_operations() if _calls(op)]
    # ``net/layer/while`` in a network of layers
    return list(dict.fromkeys((name.split("/")[1:-1] or [name])[0] for name in named))


def _calls(op: Any) -> bool:
    values = op.node_def.attr.values()
    return any(value.HasField("func") or value.list.func for value in values)
