"""A depthwise separable convnet, small enough for microcontrollers.

Source: Zhang et al., "Hello Edge: Keyword Spotting on Microcontrollers", arXiv 1711.07128.
"""

from typing import Any


def build(
    keras: Any,
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    width: int = 64,
    blocks: int = 4,
    pool_every: int = 2,
    dropout: float = 0.2,
) -> Any:
    """Return a 3x3 convolution, depthwise separable blocks, global pooling and one dense layer.

    Args:
        keras: the Keras module to build with.
        input_shape: height, width, channels.
        classes: number of outputs; they are logits.
        width: channels of the first convolution; they double where the image is halved.
        blocks: number of depthwise separable blocks.
        pool_every: every so many blocks the stride is 2.
        dropout: share of activations dropped before the last layer.
    """
    layers = keras.layers
    inputs = keras.Input(input_shape, name="image")
    x = _activated(layers, layers.Conv2D(width, 3, padding="same", use_bias=False)(inputs))
    for block in range(blocks):
        halve = block % pool_every == pool_every - 1
        width *= 2 if halve else 1
        stride = 2 if halve else 1
        depthwise = layers.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False)
        x = _activated(layers, depthwise(x))
        x = _activated(layers, layers.Conv2D(width, 1, use_bias=False)(x))
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(dropout)(x)
    return keras.Model(inputs, layers.Dense(classes, name="logits")(x), name="ds_cnn")


def _activated(layers: Any, x: Any) -> Any:
    # Momentum below Keras' 0.99: small datasets give too few steps for a slow moving average.
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
