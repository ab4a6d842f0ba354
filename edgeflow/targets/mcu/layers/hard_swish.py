"""HardSwish, in fixed point of 16 bits."""

import numpy as np

from edgeflow.targets.mcu.fixed_point import CODES, Integers, multiplier, rounding_shift
from edgeflow.targets.mcu.graph import Node, Tensor
from edgeflow.targets.mcu.layers.base import REALS, Unsupported
from edgeflow.targets.mcu.settings import Settings


def hard_swish(source: Tensor, target: Tensor, node: Node, settings: Settings) -> Integers:
    """Return x * clip(x + 3, 0, 6) / 6 of all values of an input.

    Source: tensorflow/lite/kernels/internal/reference/hard_swish.h.

    Raises:
        Unsupported: the output has too small a scale.
    """
    real = REALS[settings.profile]
    fine = real(source.scale) / 128
    out_q, out_shift = multiplier(float(fine / real(target.scale)))
    if out_shift > 0:
        raise Unsupported("has an output of a scale much smaller than its input's", "recalibrate")
    gate_q, gate_shift = multiplier(float(fine / real(3 / 32768)))
    x = (CODES - source.zero_point) << 7
    gate = _short(x << gate_shift - 1) if gate_shift > 0 else x
    gate = _short_high_product(gate, _short_factor(gate_q))
    gate = _short(gate << 1) if gate_shift > 0 else gate
    gate = _short_rounding_shift(gate, -gate_shift) if gate_shift < 0 else gate
    gate = (gate + (1 << 15)) >> 1
    product = gate * _short_high_product(x, _short_factor(out_q))
    halved = np.where(product >= 0, product >> 15, -(-product >> 15))
    return _short_rounding_shift(halved, -out_shift) + target.zero_point


def _short(x: Integers) -> Integers:
    return np.clip(x, -(2**15), 2**15 - 1)


def _short_factor(q: int) -> int:
    """Source: `DownScaleInt32ToInt16Multiplier` in tensorflow/lite/kernels/internal/common.h."""
    return 2**15 - 1 if q >= 2**31 - 2**15 else (q + 2**15) >> 16


def _short_high_product(a: Integers, b: int) -> Integers:
    """Return a * b / 2**15, rounded: `SaturatingRoundingDoublingHighMul` of 16 bits."""
    nudged = a * b + np.where(a * b >= 0, 1 << 14, 1 - (1 << 14))
    return np.where(nudged >= 0, nudged >> 15, -(-nudged >> 15))


def _short_rounding_shift(x: Integers, bits: int) -> Integers:
    """Return x / 2**bits, rounded as `RoundingDivideByPOT` of 16 bits."""
    # Its mask has 16 bits too: by more than 15, it makes one step of all values.
    return rounding_shift(x, bits) if bits < 16 else np.where(x >= 0, 1, -1)
