"""The residual network of MLPerf Tiny's image classification, for 32x32 images.

Source: Banbury et al., "MLPerf Tiny Benchmark", arXiv 2106.07597; the blocks are those of He et
al., "Deep Residual Learning for Image Recognition", arXiv 1512.03385. The convolutions before a
batch normalization have no bias here, which it would cancel.
"""

from typing import Annotated, Any

from pydantic import Field

from edgeflow.train.blocks import activated, normalized, pooled_logits


def build(
    keras: Any,
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    width: int = 16,
    stacks: Annotated[int, Field(ge=1)] = 3,
    dropout: float = 0.0,
) -> Any:
    """Return a 3x3 convolution, residual blocks of two each, global pooling and one dense layer.

    Args:
        keras: the Keras module to build with.
        input_shape: height, width, channels.
        classes: number of outputs; they are logits.
        width: channels of the first block; each further block doubles them and halves the image.
        stacks: number of residual blocks.
        dropout: share of activations dropped before the last layer.
    """
    layers = keras.layers
    inputs = keras.Input(input_shape, name="image")
    x = activated(layers, _convolution(layers, width, 1)(inputs))
    for stack in range(stacks):
        x = _residual(layers, x, width * 2**stack, stride=2 if stack else 1)
    return keras.Model(inputs, pooled_logits(layers, x, classes, dropout), name="resnet8")


def _residual(layers: Any, inputs: Any, channels: int, stride: int) -> Any:
    x = activated(layers, _convolution(layers, channels, stride)(inputs))
    x = normalized(layers, _convolution(layers, channels, 1)(x))
    if stride > 1:
        inputs = layers.Conv2D(channels, 1, strides=stride, kernel_initializer="he_normal")(inputs)
    return layers.ReLU()(layers.Add()([inputs, x]))


def _convolution(layers: Any, channels: int, stride: int) -> Any:
    return layers.Conv2D(
        channels,
        3,
        strides=stride,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
    )
