"""In which order and how many at a time: sizes of waves, and what budgets allow."""

import bisect
import math
from collections.abc import Collection, Sequence
from typing import TypeVar

from edgeflow.fleet.unit import Unit

U = TypeVar("U", bound=Unit)
_ROUNDING = 1e-9
"""0.07 of 100 devices is 7.000000000000001 in floating point."""


def wave_ends(waves: Sequence[int | float], total: int) -> list[int]:
    """Return how many devices are reached after each wave that reaches more than the last one.

    Args:
        waves: counts, or as floats shares of `total`, cumulative.
    """
    ends: list[int] = []
    for wave in waves:
        share = math.ceil(wave * total - _ROUNDING)
        end = min(total, wave if isinstance(wave, int) else share)
        if end > (ends[-1] if ends else 0):
            ends.append(end)
    return ends


def waves_of(waves: Sequence[int | float], units: Sequence[Unit]) -> dict[str, int]:
    """Return the number of the wave in which each unit is reached, the first 1."""
    ends = wave_ends(waves, len(units))
    return {unit.name: bisect.bisect_right(ends, place) + 1 for place, unit in enumerate(units)}


def allowed(budget: int | float, devices: int) -> int:
    """Return how many of some devices a budget allows."""
    return budget if isinstance(budget, int) else math.floor(budget * devices + _ROUNDING)


def canary_first(units: Sequence[U], canaries: Collection[str]) -> list[U]:
    """Return the units with those that are named canaries first, else in their order."""
    return sorted(units, key=lambda unit: unit.name not in canaries)
