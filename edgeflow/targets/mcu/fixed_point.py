"""Real factors as integers, and the fixed-point arithmetic in which TensorFlow Lite applies them.

Arrays hold 32-bit values in int64. Source of the arithmetic: fixedpoint/fixedpoint.h of gemmlowp.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

CODES: Integers = np.arange(256).astype(np.uint8).view(np.int8).astype(np.int64)
"""All values of int8, in the order of a table: as if they were uint8."""

_TOP = 2**31 - 1
ONCE_AT_MOST = 2**30 - 1
"""Size of what `requantize_once` returns; more than any output."""


def multiplier(real: float) -> tuple[int, int]:
    """Return a factor as ``(q, shift)``, with real = q / 2**31 * 2**shift and q in 31 bits.

    Source: `QuantizeMultiplier` in tensorflow/lite/kernels/internal/quantization_util.cc.

    Raises:
        OverflowError: it is 2**30 or more, for which TensorFlow Lite's shifts are undefined.
    """
    if real == 0:
        return 0, 0
    mantissa, shift = math.frexp(real)
    q = math.floor(mantissa * 2**31 + 0.5)
    if q == 2**31:
        q, shift = q // 2, shift + 1
    if shift < -31:
        return 0, 0
    return q, _bounded(shift)


def _bounded(shift: int) -> int:
    if shift > 30:
        raise OverflowError("a factor of 2**30 or more")
    return shift


def double_multiplier(real: float) -> tuple[int, int, int]:
    """Return all 53 bits of a factor as ``(q, rest, shift)``: `multiplier`, but not rounded.

    It is (q + rest / 2**22) / 2**31 * 2**shift, with q in 31 bits and rest in 22.

    Raises:
        OverflowError: it is 2**30 or more.
    """
    mantissa, shift = math.frexp(real)
    if real == 0 or shift < -31:
        return 0, 0, 0
    q, rest = divmod(int(mantissa * 2**53), 2**22)
    return q, rest, _bounded(shift)


def requantize(x: Integers, q: int, shift: int) -> Integers:
    """Return x * q / 2**31 * 2**shift, rounded twice: `MultiplyByQuantizedMultiplier`."""
    shifted = _wrapped(x << max(shift, 0))
    return rounding_shift(high_product(shifted, q), max(-shift, 0))


def requantize_once(x: Integers, real: float) -> Integers:
    """Return x * real in double precision, rounded half away from zero.

    So LiteRT's reference kernels scale the sums of dense layers.
    """
    scaled = np.abs(np.asarray(x, np.float64) * real)
    whole = np.floor(scaled)
    size = np.minimum(whole + (scaled - whole >= 0.5), ONCE_AT_MOST).astype(np.int64)
    return np.asarray(np.where(np.asarray(x) < 0, -size, size), np.int64)


def output(scaled: Integers, zero_point: int) -> Integers:
    """Return scaled values with a zero point added, in 32 bits: where that overflows, it wraps."""
    return _wrapped(scaled + zero_point)


def high_product(a: Integers, b: Integers | int) -> Integers:
    """Return a * b / 2**31, rounded: `SaturatingRoundingDoublingHighMul`."""
    product = np.asarray(a, np.int64) * b
    nudged = product + np.where(product >= 0, 1 << 30, 1 - (1 << 30))
    # Division truncates in C; only -2**31 squared exceeds 32 bits.
    return np.minimum(np.where(nudged >= 0, nudged >> 31, -(-nudged >> 31)), _TOP)


def rounding_shift(x: Integers, bits: int) -> Integers:
    """Return x / 2**bits, rounded half away from zero: `RoundingDivideByPOT`."""
    mask = (1 << bits) - 1
    threshold = (mask >> 1) + (x < 0)
    return np.asarray((x >> bits) + ((x & mask) > threshold), np.int64)


def exp_of_negative(a: Integers, integer_bits: int) -> Integers:
    """Return exp(a / 2**(31 - integer_bits)) * 2**31 of values <= 0: `exp_on_negative_values`."""
    fraction_bits = 31 - integer_bits
    quarter = 1 << (fraction_bits - 2)
    rest = (a & (quarter - 1)) - quarter
    result = _exp_near_zero(_saturating_shift(rest, integer_bits))
    for exponent, factor in enumerate(_EXP_OF_POWERS, start=-2):
        if exponent < integer_bits:
            is_set = (rest - a) >> (fraction_bits + exponent) & 1
            result = np.where(is_set, high_product(result, factor), result)
    return np.where(a == 0, _TOP, result)


_EXP_OF_POWERS = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
"""exp(-2**n) * 2**31 for n = -2, -1, ..., 4."""


def _exp_near_zero(a: Integers) -> Integers:
    """Return exp of a in [-1/4, 0), both in 31 fractional bits: Taylor's series around -1/8."""
    exp_of_middle, third = 1895147668, 715827883
    x = a + (1 << 28)
    x2 = high_product(x, x)
    x3, x4 = high_product(x2, x), high_product(x2, x2)
    tail = rounding_shift(high_product(rounding_shift(x4, 2) + x3, third) + x2, 1)
    return exp_of_middle + high_product(x + tail, exp_of_middle)


def logistic(a: Integers, integer_bits: int) -> Integers:
    """Return 1 / (1 + exp(-a)) in 31 fractional bits; `a` has `integer_bits` before the point."""
    of_size = _saturating_shift(_newton_reciprocal(exp_of_negative(-np.abs(a), integer_bits)), 1)
    return np.where(a == 0, 1 << 30, np.where(a > 0, of_size, _TOP - of_size))


def tanh(a: Integers, integer_bits: int) -> Integers:
    """Return the hyperbolic tangent of `a`, which has `integer_bits` before the point."""
    reciprocal = _newton_reciprocal(exp_of_negative(-np.abs(a), integer_bits + 1))
    of_size = _saturating_shift(reciprocal - (1 << 29), 2)
    return np.where(a == 0, 0, np.where(a > 0, of_size, -of_size))


def _newton_reciprocal(a: Integers) -> Integers:
    """Return 2 / (1 + a) in 29 fractional bits, of a in [0, 1]."""
    half = (a + _TOP + 1) >> 1
    x = 1515870810 + high_product(half, -1010580540)  # 48/17 - 32/17 * half
    for _ in range(3):
        x = x + _saturating_shift(high_product(x, (1 << 29) - high_product(half, x)), 2)
    return np.asarray(x, np.int64)


def _saturating_shift(x: Integers, bits: int) -> Integers:
    return np.asarray(np.clip(x << bits, -_TOP - 1, _TOP), np.int64)


def _wrapped(x: Any) -> Integers:
    return np.asarray(x, np.int64).astype(np.int32).astype(np.int64)
