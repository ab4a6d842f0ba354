"""What several architectures are made of."""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any


def normalized(layers: Any, x: Any) -> Any:
    """Return `x` after batch normalization."""
    # Momentum below Keras' 0.99: small datasets give too few steps for a slow moving average.
    return layers.BatchNormalization(momentum=0.9)(x)


def activated(layers: Any, x: Any, max_value: float | None = None) -> Any:
    """Return `x` after batch normalization and ReLU, cut off at `max_value` if there is one."""
    return layers.ReLU(max_value=max_value)(normalized(layers, x))


def pooled_logits(layers: Any, x: Any, classes: int, dropout: float) -> Any:
    """Return global average pooling of `x`, dropout, and a dense layer of `classes` units."""
    x = layers.Dropout(dropout)(layers.GlobalAveragePooling2D()(x))
    return layers.Dense(classes, name="logits")(x)


def strides(halves: Sequence[bool], kept: int) -> list[int]:
    """Return a stride for each layer: 2 in the last `kept` of those that halve, else 1."""
    first = sum(halves) - kept
    return [
        2 if halve and number > first else 1
        for halve, number in zip(halves, accumulate(halves), strict=True)
    ]


def divisible(channels: float) -> int:
    """Return a multiple of 8 near `channels`, at least 8 and at least 0.9 times as many.

    Source: the reference implementation of Sandler et al., "MobileNetV2: Inverted Residuals and
    Linear Bottlenecks", arXiv 1801.04381.
    """
    near = max(8, 8 * int(channels / 8 + 0.5))
    return near if near >= 0.9 * channels else near + 8
