"""The float network, as the converters of all recipes start from it."""

from typing import Any


class FloatModel:
    """A Keras model behind a signature with a static batch of 1.

    Embedded compilers and interpreters want every tensor's size at compile time.
    """

    def __init__(self, model: Any) -> None:
        self._model = model

    def converter(self) -> Any:
        """Return a fresh `tf.lite.TFLiteConverter` for the model."""
        import tensorflow as tf

        shape = (1, *self._model.input_shape[1:])
        signature = tf.TensorSpec(shape, tf.float32, name="input")
        function = tf.function(lambda x: self._model(x, training=False))
        concrete = function.get_concrete_function(signature)
        converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], self._model)
        # The way over a SavedModel takes ten times as long and gives a straight network the same
        # weights and outputs. Recurrent ones need it: their int8 conversion crashes without.
        converter.experimental_lower_to_saved_model = _has_calls(concrete.graph)
        return converter


def _has_calls(graph: Any) -> bool:
    """Return whether a graph runs others: loops, branches, functions."""
    values = (value for op in graph.get_operations() for value in op.node_def.attr.values())
    return any(value.HasField("func") or value.list.func for value in values)
