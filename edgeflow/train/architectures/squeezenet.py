"""SqueezeNet 1.1, for images of 28x28 and more.

Source: Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and <0.5MB
model size", arXiv 1602.07360. Version 1.1, published by its authors beside the paper, has a smaller
first convolution and pools earlier.

Unlike there, no ReLU follows the last layer: it would clip the logits. Without one, pooling before
the last layer gives the same as pooling after it, and costs less. There is no batch normalization,
so the learning rate must be low: on digits, all eight modules learn at 3e-4 and not at 1e-3.
"""

from typing import Annotated, Any

from pydantic import Field

from edgeflow.train.blocks import pooled_logits, strides

_POOLED = (0, 2, 4)
"""Fire modules, counted from 0, with a pooling before them."""


def build(
    keras: Any,
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    alpha: float = 1.0,
    modules: Annotated[int, Field(ge=1)] = 8,
    halvings: Annotated[int, Field(ge=0, le=4)] = 4,
    dropout: float = 0.5,
) -> Any:
    """Return a 3x3 convolution, fire modules with pooling between, and one dense layer.

    Args:
        keras: the Keras module to build with.
        input_shape: height, width, channels.
        classes: number of outputs; they are logits.
        alpha: factor of all channels.
        modules: number of fire modules; every second one is wider than the one before.
        halvings: how often height and width are halved; for 32x32 try 2, the first two left out.
        dropout: share of activations dropped before the last layer.
    """
    layers = keras.layers
    first, *steps = strides((True, *(module in _POOLED for module in range(modules))), halvings)
    inputs = keras.Input(input_shape, name="image")
    x = layers.Conv2D(int(64 * alpha), 3, strides=first, padding="same")(inputs)
    x = layers.ReLU()(x)
    for module, stride in enumerate(steps):
        if stride == 2:
            x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
        x = _fire(layers, x, int(64 * (module // 2 + 1) * alpha))
    return keras.Model(inputs, pooled_logits(layers, x, classes, dropout), name="squeezenet")


def _fire(layers: Any, x: Any, channels: int) -> Any:
    """Return a quarter of `channels` by a 1x1 convolution, then `channels` each by 1x1 and 3x3."""
    x = layers.ReLU()(layers.Conv2D(channels // 4, 1)(x))
    narrow = layers.ReLU()(layers.Conv2D(channels, 1)(x))
    wide = layers.ReLU()(layers.Conv2D(channels, 3, padding="same")(x))
    return layers.Concatenate()([narrow, wide])
