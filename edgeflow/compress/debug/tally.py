"""Sums of errors, and their ratio to the signal."""

import math
from typing import TYPE_CHECKING, Any

from edgeflow.compress.evaluate import dequantized

if TYPE_CHECKING:
    from numpy.typing import NDArray


def decibels(noise: float) -> float | None:
    """Return the ratio of signal to noise in dB; None where there is no noise."""
    return -10 * math.log10(noise) if noise > 0 else None


class Tally:
    """Sums over the values of one tensor."""

    def __init__(self) -> None:
        self.count = 0
        self.signal = self.noise = self.difference = self.largest = 0.0
        self.saturated = 0

    def add(self, floats: "NDArray[Any]", values: "NDArray[Any]", details: Any) -> None:
        """Count one sample.

        Args:
            floats: what the values should be.
            values: in the tensor's own type.
            details: of the tensor, in the interpreter's form.
        """
        import numpy as np

        error = dequantized(values, details).astype(np.float64) - floats
        self.count += floats.size
        self.signal += float(np.square(floats, dtype=np.float64).sum())
        self.noise += float(np.square(error).sum())
        self.difference += float(error.sum())
        self.largest = max(self.largest, float(np.abs(error).max()))
        self.saturated += _saturated(floats, values, details)

    def ratio(self) -> float:
        """Return the power of the error over that of the float values."""
        return self.noise / self.signal if self.signal else 0.0


def _saturated(floats: "NDArray[Any]", values: "NDArray[Any]", details: Any) -> int:
    """Count values at an end of the integer type where the float lies half a step beyond."""
    import numpy as np

    scale, _ = details["quantization"]
    if not scale:
        return 0
    limits = np.iinfo(details["dtype"])
    low, high = dequantized(np.array([limits.min, limits.max]), details)
    below = (values == limits.min) & (floats < low - scale / 2)
    above = (values == limits.max) & (floats > high + scale / 2)
    return int(np.count_nonzero(below | above))
