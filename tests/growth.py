"""How fast the work of a function grows with its input."""

import sys
from collections.abc import Callable
from typing import TypeVar

_Work = TypeVar("_Work", bound=Callable[[], object])


def calls(function: Callable[[], object]) -> int:
    """Return how many calls of functions, Python's own among them, a function makes."""
    count = 0

    def see(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(see)
    try:
        function()
    finally:
        sys.setprofile(None)
    return count


def growth(
    work: Callable[[int], _Work],
    *,
    count: Callable[[_Work], int] = calls,
    sizes: tuple[int, int, int] = (50, 100, 200),
) -> float:
    """Return how much more work the second step between sizes adds than the first.

    It is 2 where the work grows with the input; where it grows with its square, it is over 3.

    Args:
        work: from a size to the function whose work is counted.
        count: counts the work of such a function.
        sizes: the second step between them is twice the first.
    """
    small, middle, large = (count(work(size)) for size in sizes)
    return (large - middle) / (middle - small)
