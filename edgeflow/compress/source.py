"""The float network, as the converters of all recipes start from it."""

from pathlib import Path
from typing import Any, Protocol

from edgeflow.compress.form import Form, flatbuffer_form, function_form, keras_form

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


class FloatModel:
    """A Keras model behind a signature with a static batch of 1."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def converter(self) -> Any:
        """Return a fresh `tf.lite.TFLiteConverter` for the model."""
        import tensorflow as tf

        shape = (1, *self._model.input_shape[1:])
        signature = tf.TensorSpec(shape, tf.float32, name="input")
        function = tf.function(lambda x: self._model(x, training=False))
        return _converter(function.get_concrete_function(signature), self._model)

    def form(self) -> Form:
        """Return the model to run."""
        return keras_form(self._model)


class GraphModel:
    """A frozen graph with one input, `input`, and one output, `Identity`."""

    def __init__(self, graph: bytes) -> None:
        import tensorflow as tf

        definition = tf.compat.v1.GraphDef.FromString(graph)
        self._wrapped = tf.compat.v1.wrap_function(
            lambda: tf.graph_util.import_graph_def(definition, name=""), []
        )
        self.function = self._wrapped.prune("input:0", "Identity:0")

    def converter(self) -> Any:
        """Return a fresh `tf.lite.TFLiteConverter` for the graph."""
        return _converter(self.function, self._wrapped)

    def form(self) -> Form:
        """Return the graph to run."""
        return function_form(self.function)


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


def open_source(path: Path) -> Source:
    """Return the network in a frozen graph or a .tflite."""
    kind = GraphModel if path.name == GRAPH_FILE else FlatbufferModel
    return kind(path.read_bytes())


def _converter(concrete: Any, owner: Any) -> Any:
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], owner)
    # The way over a SavedModel takes ten times as long and gives a straight network the same
    # weights and outputs. Recurrent ones need it: their int8 conversion crashes without.
    converter.experimental_lower_to_saved_model = _has_calls(concrete.graph)
    return converter


def _has_calls(graph: Any) -> bool:
    """Return whether a graph runs others: loops, branches, functions."""
    values = (value for op in graph.get_operations() for value in op.node_def.attr.values())
    return any(value.HasField("func") or value.list.func for value in values)
