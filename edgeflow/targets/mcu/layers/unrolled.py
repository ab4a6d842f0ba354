"""Small dense layers as code without loops, whose weights are part of the instructions."""

from dataclasses import replace

import numpy as np

from edgeflow.targets.mcu.fixed_point import (
    Integers,
    double_multiplier,
    multiplier,
    requantize,
    requantize_once,
)
from edgeflow.targets.mcu.layers.base import Layer, Scale, Unrolled, Unsupported
from edgeflow.targets.mcu.layers.products import Products
from edgeflow.targets.mcu.narrow import narrow

MOST_WEIGHTS = 4096
"""A larger layer is refused: its code would not fit into the flash of those that gain from it."""
BYTES_PER_WEIGHT = 7
"""Of code on a Cortex-M0, about: a constant, a product and a sum, and a load for each four."""


def unrolled(layer: Layer, found: Products) -> Layer:
    """Return a dense layer as code of its own.

    Raises:
        Unsupported: it is so large that its code would be larger still.
    """
    weights = found.weights.astype(np.int64)
    if weights.size > MOST_WEIGHTS:
        raise Unsupported(
            f"has {weights.size:,} weights, which are about {weights.size * BYTES_PER_WEIGHT:,}"
            f" bytes as instructions, and at most {MOST_WEIGHTS:,} are unrolled",
            "choose the mode `specialized`, or a narrower layer",
        )
    least = found.folded + np.minimum(weights * 127, weights * -128).sum(axis=1)
    most = found.folded + np.maximum(weights * 127, weights * -128).sum(axis=1)
    count = len(found.scales)
    units = np.arange(len(weights)) if count > 1 else np.zeros(len(weights), np.int64)
    scales = [
        _scale(layer, real, (least[units == n].min(), most[units == n].max()))
        for n, real in enumerate(found.scales)
    ]
    return replace(
        layer,
        unrolled=Unrolled(
            weights=found.weights.tolist(),
            bias=found.folded.tolist(),
            scales=scales,
            scale_of_unit=units.tolist(),
        ),
    )


def _scale(layer: Layer, real: float, sums: tuple[int, int]) -> Scale:
    values = layer.values
    once = layer.kernel == "nn_dense_once"
    q, shift = multiplier(real)

    def exact(x: Integers) -> Integers:
        scaled = requantize_once(x, real) if once else requantize(x, q, shift)
        return scaled + values["zero_point"]

    factor = q * 2.0 ** (shift - 31)
    sums = int(sums[0]), int(sums[1])
    return Scale(
        factors=double_multiplier(real) if once else (q, shift),
        sums=sums,
        narrow=narrow(exact, factor, sums, values["low"], values["high"]) if q else None,
    )
