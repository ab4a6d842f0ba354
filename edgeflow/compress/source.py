"""The trained model, as the converters of all recipes start from it."""

from pathlib import Path
from typing import Any


class FloatModel:
    """A trained Keras model behind a signature with a static batch of 1.

    Embedded compilers and interpreters want every tensor's size at compile time.
    """

    def __init__(self, path: Path) -> None:
        from edgeflow.train.keras import load_keras

        self._model = load_keras(seed=0).models.load_model(path, compile=False)

    def converter(self) -> Any:
        """Return a fresh `tf.lite.TFLiteConverter` for the model."""
        import tensorflow as tf

        shape = (1, *self._model.input_shape[1:])
        signature = tf.TensorSpec(shape, tf.float32, name="input")
        function = tf.function(lambda x: self._model(x, training=False))
        concrete = function.get_concrete_function(signature)
        return tf.lite.TFLiteConverter.from_concrete_functions([concrete], self._model)
