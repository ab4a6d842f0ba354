"""Real factors as integers, as TensorFlow Lite computes them."""

import math


def multiplier(real: float) -> tuple[int, int]:
    """Return a factor as ``(q, shift)``, with real = q / 2**31 * 2**shift and q in 31 bits.

    Source: `QuantizeMultiplier` in tensorflow/lite/kernels/internal/quantization_util.cc.
    """
    if real == 0:
        return 0, 0
    mantissa, shift = math.frexp(real)
    q = math.floor(mantissa * 2**31 + 0.5)
    if q == 2**31:
        q, shift = q // 2, shift + 1
    if shift < -31:
        return 0, 0
    return (q, shift) if shift <= 30 else (2**31 - 1, 30)
