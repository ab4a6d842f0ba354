"""Input channels of unlike scale: they share one integer scale, and small ones get few steps."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgeflow.config.samples import Affine

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

FEW_STEPS = 32
"""Integer steps below which a channel is named: 5 bits of the 8 that int8 has."""

STEPS = 255
"""Steps of int8 from its smallest to its largest value."""

_ADVICE = (
    "give each channel its own mean and deviation: `preprocess: {standardize: true}` of the dataset"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Channel:
    """A channel of the network's input.

    Attributes:
        number: its place on the last axis of a sample, from 0.
        low: smallest value of the float input.
        high: largest value of the float input.
        steps: of the integer input from one to the other.
    """

    number: int
    low: float
    high: float
    steps: float


def ends(low: "Floats", high: "Floats", preprocess: Affine) -> "tuple[Floats, Floats]":
    """Return the ends of each channel's float input from those of what is stored."""
    import numpy as np

    both = np.stack([low, high]) * preprocess.scale + preprocess.offset
    return both.min(axis=0), both.max(axis=0)  # a negative scale turns them round


def shared_scale(low: "Floats", high: "Floats") -> float:
    """Return the scale of an int8 input that holds all channels, and zero."""
    return float(max(high.max(), 0) - min(low.min(), 0)) / STEPS


def narrow(low: "Floats", high: "Floats", scale: float) -> list[Channel]:
    """Return the channels that vary, but over fewer than `FEW_STEPS` steps.

    Args:
        low: smallest float input of each channel, (channels,).
        high: largest float input of each channel, (channels,).
        scale: of the integer input; 0 if it is none.
    """
    if not scale:
        return []
    return [
        Channel(number=number, low=float(a), high=float(b), steps=float(b - a) / scale)
        for number, (a, b) in enumerate(zip(low, high, strict=True))
        if 0 < (b - a) / scale < FEW_STEPS
    ]


def warning(found: list[Channel], channels: int) -> str:
    """Return what to tell of narrow channels."""
    named = ", ".join(f"{c.number} ({c.low:g} to {c.high:g}: {c.steps:.1f})" for c in found[:5])
    more = ", ..." if len(found) > 5 else ""
    return (
        f"{len(found)} of {channels} input channels get fewer than {FEW_STEPS} integer steps in "
        f"int8, as all share one scale: {named}{more}; {_ADVICE}"
    )
