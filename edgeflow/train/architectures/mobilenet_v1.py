"""MobileNet, for images of 28x28 and more.

Source: Howard et al., "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision
Applications", arXiv 1704.04861, table 1. With alpha 0.25 and 96x96 inputs it is the network of
MLPerf Tiny's visual wake words.
"""

from typing import Annotated, Any

from pydantic import Field

from edgeflow.train.blocks import activated, pooled_logits, strides

_BEFORE = ((64, False), (128, True), (128, False), (256, True), (256, False), (512, True))
_AFTER = ((1024, True), (1024, False))
"""Output channels of a block, and whether it halves height and width."""


def build(
    keras: Any,
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    alpha: float = 0.25,
    repeats: Annotated[int, Field(ge=0)] = 5,
    halvings: Annotated[int, Field(ge=0, le=5)] = 5,
    dropout: float = 0.001,
) -> Any:
    """Return a 3x3 convolution, depthwise separable blocks, global pooling and one dense layer.

    Args:
        keras: the Keras module to build with.
        input_shape: height, width, channels.
        classes: number of outputs; they are logits.
        alpha: factor of all channels.
        repeats: blocks of 512 channels in the middle; the paper's shallow network has 0.
        halvings: how often height and width are halved; for 32x32 try 3, the first two left out.
        dropout: share of activations dropped before the last layer.
    """
    layers = keras.layers
    blocks = (*_BEFORE, *[(512, False)] * repeats, *_AFTER)
    first, *steps = strides([True, *(halve for _, halve in blocks)], halvings)
    inputs = keras.Input(input_shape, name="image")
    x = layers.Conv2D(int(32 * alpha), 3, strides=first, padding="same", use_bias=False)(inputs)
    x = activated(layers, x, 6.0)
    for (channels, _), stride in zip(blocks, steps, strict=True):
        x = _separable(layers, x, int(channels * alpha), stride)
    return keras.Model(inputs, pooled_logits(layers, x, classes, dropout), name="mobilenet_v1")


def _separable(layers: Any, x: Any, channels: int, stride: int) -> Any:
    x = layers.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False)(x)
    x = activated(layers, x, 6.0)
    return activated(layers, layers.Conv2D(channels, 1, use_bias=False)(x), 6.0)
