"""The CIFAR-10 convnet of the NicMaq/edge-ml notebooks."""

from typing import Any


def build(
    keras: Any,
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    channels: tuple[int, ...] = (64, 128, 256),
    kernel: int = 5,
    dropout: float = 0.25,
    dense: int = 256,
    dense_dropout: float = 0.5,
) -> Any:
    """Return modules of convolution, ReLU6, 2x2 max pooling and dropout, then two dense layers.

    Args:
        keras: the Keras module to build with.
        input_shape: height, width, channels; each module halves height and width.
        classes: number of outputs; they are logits.
        channels: output channels, one entry for each module.
        kernel: height and width of the convolutions.
        dropout: share of activations dropped after each module.
        dense: units of the hidden dense layer.
        dense_dropout: share of activations dropped before the last layer.
    """
    layers = keras.layers
    inputs = keras.Input(input_shape, name="image")
    x = inputs
    for width in channels:
        x = layers.Conv2D(width, kernel, padding="same")(x)
        x = layers.ReLU(max_value=6.0)(x)
        x = layers.MaxPooling2D(2, padding="same")(x)
        x = layers.Dropout(dropout)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(dense)(x)
    x = layers.ReLU(max_value=6.0)(x)
    x = layers.Dropout(dense_dropout)(x)
    return keras.Model(inputs, layers.Dense(classes, name="logits")(x), name="convnet")
