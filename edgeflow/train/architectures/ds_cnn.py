"""A depthwise separable convnet, small enough for microcontrollers.

Source: Zhang et al., "Hello Edge: Keyword Spotting on Microcontrollers", arXiv 1711.07128. That of
MLPerf Tiny's keyword spotting, for inputs of 49x10x1, has the options `width: 64, blocks: 4,
pool_every: 5, kernel: [10, 4], stride: 2, first_dropout: 0.2, dropout: 0.4`.
"""

from typing import Any

from edgeflow.train.blocks import activated, pooled_logits


def build(
    keras: Any,
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    width: int = 64,
    blocks: int = 4,
    pool_every: int = 2,
    dropout: float = 0.2,
    kernel: tuple[int, int] = (3, 3),
    stride: int = 1,
    first_dropout: float = 0.0,
) -> Any:
    """Return a convolution, depthwise separable blocks, global pooling and one dense layer.

    Args:
        keras: the Keras module to build with.
        input_shape: height, width, channels.
        classes: number of outputs; they are logits.
        width: channels of the first convolution; they double where the image is halved.
        blocks: number of depthwise separable blocks.
        pool_every: every so many blocks the stride is 2; a number above `blocks` means never.
        dropout: share of activations dropped before the last layer.
        kernel: height and width of the first convolution.
        stride: stride of the first convolution.
        first_dropout: share of activations dropped after the first convolution.
    """
    layers = keras.layers
    inputs = keras.Input(input_shape, name="image")
    first = layers.Conv2D(width, kernel, strides=stride, padding="same", use_bias=False)
    x = activated(layers, first(inputs))
    if first_dropout:
        x = layers.Dropout(first_dropout)(x)
    for block in range(blocks):
        halve = block % pool_every == pool_every - 1
        width *= 2 if halve else 1
        step = 2 if halve else 1
        depthwise = layers.DepthwiseConv2D(3, strides=step, padding="same", use_bias=False)
        x = activated(layers, depthwise(x))
        x = activated(layers, layers.Conv2D(width, 1, use_bias=False)(x))
    return keras.Model(inputs, pooled_logits(layers, x, classes, dropout), name="ds_cnn")
