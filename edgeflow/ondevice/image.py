"""Makes samples of pixels, as the dataset's images became samples.

It does what Pillow's ``convert`` and ``resize`` with ``Resampling.BILINEAR`` do, by which datasets
are built, so that an application on the device needs no Pillow. A pixel is Pillow's to one level of
255: which axis that resizes and rounds first depends on its version. Standard library and numpy;
Python 3.7 or newer; imports nothing of edgeflow.
"""

from __future__ import annotations

from typing import Any

import numpy as np

# Pillow's weights are integers of that many binary digits (src/libImaging/Resample.c).
PRECISION = 22


def fitted(pixels: Any, shape: tuple[int, int, int]) -> Any:
    """Return an image in another size and colour, uint8 (height, width, channels).

    Args:
        pixels: uint8 (height, width) or (height, width, channels), of 1 or 3 channels (RGB).
        shape: height, width and channels (1 or 3) wanted.

    Raises:
        ValueError: the pixels have another number of channels.
    """
    image = pixels if pixels.ndim == 3 else pixels[..., None]
    if image.ndim != 3 or image.shape[2] not in (1, 3):
        raise ValueError("pixels of shape %s are neither grey nor RGB" % (pixels.shape,))
    if image.shape[2] != shape[2]:
        image = grey(image) if shape[2] == 1 else np.repeat(image, 3, axis=2)
    if image.shape[1] != shape[1]:
        image = resampled(image.transpose(1, 0, 2), shape[1]).transpose(1, 0, 2)
    return resampled(image, shape[0]) if image.shape[0] != shape[0] else image


def grey(image: Any) -> Any:
    """Return the luma of RGB pixels by ITU-R 601-2, (height, width, 1)."""
    red, green, blue = (image[..., place].astype(np.int64) for place in range(3))
    luma = (19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16
    return luma.astype(np.uint8)[..., None]


def resampled(image: Any, size: int) -> Any:
    """Return an image with another length of its first axis."""
    weights = triangles(len(image), size)
    # Sums of integers below 2**53 are exact in float64, in any order.
    sums = weights.dot(image.reshape(len(image), -1).astype(np.float64))
    rounded = (sums.astype(np.int64) + (1 << (PRECISION - 1))) >> PRECISION
    return np.clip(rounded, 0, 255).astype(np.uint8).reshape((size, *image.shape[1:]))


def triangles(length: int, size: int) -> Any:
    """Return the weights of a triangle filter, integers as float64 (size, length).

    Where an image becomes smaller the triangles are wider, so that each pixel counts.
    """
    scale = length / size
    reach = max(scale, 1.0)
    weights = np.zeros((size, length))
    for place in range(size):
        center = (place + 0.5) * scale
        first, last = max(int(center - reach + 0.5), 0), min(int(center + reach + 0.5), length)
        distance = (np.arange(last - first) + first - center + 0.5) * (1.0 / reach)
        triangle = np.maximum(1.0 - np.abs(distance), 0.0)
        # Added one after the other, as Pillow does: in another order the last bit may differ.
        total = sum(triangle.tolist())
        weights[place, first:last] = np.floor(triangle / total * (1 << PRECISION) + 0.5)
    return weights
