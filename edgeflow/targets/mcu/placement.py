"""Blocks of memory at the lowest addresses, each at the first free one, in the best order found.

For blocks that may not overlap this is dynamic storage allocation, which is NP-hard; some order of
the blocks always leads to the best placement, so a search for one looks among orders alone.
"""

import random
from collections.abc import Callable, Mapping, Sequence

ALIGNMENT = 4
"""Bytes; a word, which SIMD kernels load at once."""

Apart = Sequence[Mapping[int, tuple[int, int]]]
"""For each block b and each other o that restricts it, ``(before, behind)``: b must start at least
``before`` bytes before o starts, or at least ``behind`` bytes behind that."""

_STEPS = 400_000
_TRIES = 2_000


def pack(
    sizes_bytes: Sequence[int], apart: Apart, orders: Sequence[Sequence[int]], bound_bytes: int
) -> tuple[int, ...]:
    """Return where each block starts, such that the last end is as low as a bounded search finds.

    Args:
        sizes_bytes: of the blocks.
        apart: what keeps them from each other.
        orders: to try first.
        bound_bytes: no placement takes less, so the search ends there.
    """

    def end(starts: Sequence[int]) -> int:
        return max((s + n for s, n in zip(starts, sizes_bytes, strict=True)), default=0)

    best, starts = min(((o, first_fit(o, apart)) for o in orders), key=lambda pair: end(pair[1]))
    steps = sum(map(len, apart)) + len(apart)
    choose = random.Random(0)  # noqa: S311  # the same model gives the same code
    for _ in range(min(_TRIES, _STEPS // max(1, steps))):
        if end(starts) <= bound_bytes:
            break
        order = _moved(best, choose.randrange)
        found = first_fit(order, apart)
        if end(found) <= end(starts):
            best, starts = order, found
    return starts


def first_fit(order: Sequence[int], apart: Apart) -> tuple[int, ...]:
    """Return where each block starts if they are placed in this order, as low as they can be."""
    starts: dict[int, int] = {}
    for block in order:
        taken = sorted(
            (starts[other] - before, starts[other] + behind)
            for other, (before, behind) in apart[block].items()
            if other in starts
        )
        start = 0
        for low, high in taken:
            if start <= low:
                break
            start = max(start, -(-high // ALIGNMENT) * ALIGNMENT)
        starts[block] = start
    return tuple(starts[block] for block in range(len(apart)))


def _moved(order: Sequence[int], below: Callable[[int], int]) -> list[int]:
    changed = list(order)
    changed.insert(below(len(order)), changed.pop(below(len(order))))
    return changed
