"""A network small enough to be laid out whole on a chip."""

from typing import Any


def build(
    keras: Any, input_shape: tuple[int, int, int], classes: int, *, width: int = 6, kernel: int = 2
) -> Any:
    """Return a convolution with a stride of 2, ReLU and one dense layer.

    Args:
        keras: the Keras module to build with.
        input_shape: height, width, channels.
        classes: number of outputs; they are logits.
        width: channels of the convolution.
        kernel: its height and width.
    """
    layers = keras.layers
    inputs = keras.Input(input_shape, name="image")
    x = layers.Conv2D(width, kernel, strides=2, padding="same", activation="relu")(inputs)
    return keras.Model(inputs, layers.Dense(classes, name="logits")(layers.Flatten()(x)))
