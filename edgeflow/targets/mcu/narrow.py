"""Scaling by a real factor with products of 32 bits alone, proven for the sums that can occur.

Exact scaling takes products of 64 bits, which small cores compute in software. But an output has at
most 256 values, so a cheaper formula is right if it steps from value to value at the same sums as
the exact one. Both are monotonic, so comparing them at these steps proves that they are equal.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from edgeflow.targets.mcu.fixed_point import Integers

_LIMIT = 2**31
_SHIFTS = 4  # how many to try: a smaller one is less precise, and leaves room for no more


@dataclass(frozen=True, kw_only=True, slots=True)
class Narrow:
    """(x * factor + (x * rest >> rest_shift) + offset - (x < 0 ? negative : 0)) >> shift."""

    factor: int
    rest: int
    rest_shift: int
    offset: int
    negative: int
    shift: int

    def __call__(self, x: Integers) -> Integers:
        """Return what C computes; it may exceed neither 32 bits here nor there."""
        sums = x * self.factor + (x * self.rest >> self.rest_shift) + self.offset
        return np.asarray((sums - np.where(x < 0, self.negative, 0)) >> self.shift, np.int64)


Exact = Callable[[Integers], Integers]
"""From sums to outputs before they are clamped; it never falls."""


def narrow(
    exact: Exact, factor: float, sums: tuple[int, int], low: int, high: int
) -> Narrow | None:
    """Return a formula that equals `exact` wherever that does not leave the output's range.

    Args:
        exact: what it has to equal; as it is asked, far below where 32 bits overflow.
        factor: by which that scales, about.
        sums: the smallest and largest one that can occur.
        low: smallest output; what is below may be anything that is not above it.
        high: largest output, likewise.

    Returns:
        None where none of those that were tried does.
    """
    values, steps = _steps(exact, sums, low, high)
    if not len(values) or factor * max(map(abs, sums)) >= _LIMIT / 4:
        return None
    for candidate in _candidates(factor, sums, high - low):
        found = _with_offsets(candidate, values, steps)
        if found is not None and _fits(found, sums):
            return found
    return None


def _steps(exact: Exact, sums: tuple[int, int], low: int, high: int) -> tuple[Integers, Integers]:
    """Return outputs above the smallest, and the smallest sum that gives each: by bisection."""
    first, last = exact(np.array(sums, np.int64))
    values = np.arange(max(first, low) + 1, min(last, high) + 1, dtype=np.int64)
    below, reached = np.full(len(values), sums[0]), np.full(len(values), sums[1])
    while (reached - below > 1).any():
        middle = (below + reached) // 2
        enough = exact(middle) >= values
        reached, below = np.where(enough, middle, reached), np.where(enough, below, middle)
    return values, reached


def _candidates(factor: float, sums: tuple[int, int], span: int) -> Iterator[Narrow]:
    """Yield formulas without offsets, the cheapest first."""
    largest = max(1, *map(abs, sums))
    room = min(_LIMIT / (factor * largest), _LIMIT / (2 * span + 2))
    top = min(30, int(np.log2(room)))
    for with_rest in (False, True):
        for shift in range(top, max(0, top - _SHIFTS), -1):
            scaled = factor * 2.0**shift
            whole = int(scaled)
            if not with_rest:
                yield _bare(round(scaled), 0, 0, shift)
                continue
            for rest_shift in range(1, (_LIMIT // largest).bit_length() + 1):
                yield _bare(whole, round((scaled - whole) * 2**rest_shift), rest_shift, shift)


def _bare(factor: int, rest: int, rest_shift: int, shift: int) -> Narrow:
    return Narrow(
        factor=factor, rest=rest, rest_shift=rest_shift, offset=0, negative=0, shift=shift
    )


def _with_offsets(bare: Narrow, values: Integers, steps: Integers) -> Narrow | None:
    """Return the formula with offsets such that it steps where it must, if there are such."""
    sums = np.concatenate([steps, steps - 1])
    unshifted = sums * bare.factor + (sums * bare.rest >> bare.rest_shift)
    need = (np.concatenate([values, values]) << bare.shift) - unshifted
    reached = np.arange(len(sums)) < len(steps)  # there it must be at least that, before it less
    found: list[tuple[int, int]] = []
    for side in (sums >= 0, sums < 0):
        least = need[side & reached].max(initial=-_LIMIT)
        most = need[side & ~reached].min(initial=_LIMIT) - 1
        if least > most:
            return None
        found.append((int(least), int(most)))
    (least, most), (least_below, most_below) = found
    both = max(least, least_below), min(most, most_below)
    if both[0] <= both[1]:
        return _offset(bare, _within(*both), 0)
    offset = _within(least, most)
    negative = offset - _within(least_below, most_below)
    # A formula that falls would have to be compared everywhere.
    return _offset(bare, offset, negative) if negative > 0 else None


def _within(least: int, most: int) -> int:
    """Return a value of a range which may be open at one end."""
    if least == -_LIMIT or most == _LIMIT - 1:
        return most if least == -_LIMIT else least
    return (least + most) // 2


def _offset(bare: Narrow, offset: int, negative: int) -> Narrow:
    return Narrow(
        factor=bare.factor,
        rest=bare.rest,
        rest_shift=bare.rest_shift,
        offset=offset,
        negative=negative,
        shift=bare.shift,
    )


def _fits(found: Narrow, sums: tuple[int, int]) -> bool:
    """Return whether no part of the formula exceeds 32 bits; each grows with the sum."""
    for x in {*sums, max(sums[0], min(-1, sums[1])), max(sums[0], min(0, sums[1]))}:
        product, rest = x * found.factor, x * found.rest
        total = product + (rest >> found.rest_shift)
        offset = total + found.offset
        parts = (product, rest, total, offset, offset - (found.negative if x < 0 else 0))
        if any(not -_LIMIT <= part < _LIMIT for part in parts):
            return False
    return True
