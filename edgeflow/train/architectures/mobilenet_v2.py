"""MobileNetV2, for images of 28x28 and more.

Source: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", arXiv 1801.04381,
table 2.
"""

from typing import Annotated, Any

from pydantic import Field

from edgeflow.train.blocks import activated, divisible, normalized, pooled_logits, strides

_STAGES = (16, 24, 32, 64, 96, 160, 320)
_HALVES = (False, True, True, True, False, True, False)
"""Output channels of a stage, and whether its first block halves height and width."""


def build(
    keras: Any,
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    alpha: float = 1.0,
    expansion: Annotated[int, Field(ge=1)] = 6,
    blocks: tuple[int, int, int, int, int, int, int] = (1, 2, 3, 4, 3, 3, 1),
    halvings: Annotated[int, Field(ge=0, le=5)] = 5,
    dropout: float = 0.2,
) -> Any:
    """Return a 3x3 convolution, inverted residuals, a 1x1 one, global pooling and a dense layer.

    Args:
        keras: the Keras module to build with.
        input_shape: height, width, channels.
        classes: number of outputs; they are logits.
        alpha: factor of all channels; the 1,280 before the pooling never get fewer.
        expansion: factor of the channels within a block, from the second stage on.
        blocks: inverted residuals in each of the seven stages.
        halvings: how often height and width are halved; for 32x32 try 3, the first two left out.
        dropout: share of activations dropped before the last layer.
    """
    layers = keras.layers
    first, *steps = strides((True, *_HALVES), halvings)
    inputs = keras.Input(input_shape, name="image")
    stem = layers.Conv2D(divisible(32 * alpha), 3, strides=first, padding="same", use_bias=False)
    x = activated(layers, stem(inputs), 6.0)
    factors = (1, *[expansion] * 6)
    for width, count, stride, factor in zip(_STAGES, blocks, steps, factors, strict=True):
        for step in [stride, *[1] * (count - 1)][:count]:
            x = _inverted_residual(layers, x, divisible(width * alpha), factor, step)
    head = layers.Conv2D(divisible(1280 * max(1.0, alpha)), 1, use_bias=False)
    x = pooled_logits(layers, activated(layers, head(x), 6.0), classes, dropout)
    return keras.Model(inputs, x, name="mobilenet_v2")


def _inverted_residual(layers: Any, inputs: Any, channels: int, factor: int, stride: int) -> Any:
    before = inputs.shape[-1]
    x = inputs
    if factor > 1:
        x = activated(layers, layers.Conv2D(factor * before, 1, use_bias=False)(x), 6.0)
    depthwise = layers.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False)
    x = activated(layers, depthwise(x), 6.0)
    x = normalized(layers, layers.Conv2D(channels, 1, use_bias=False)(x))
    return layers.Add()([inputs, x]) if stride == 1 and before == channels else x
