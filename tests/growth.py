"""How fast the work of a function grows with its input."""

import sys
from collections.abc import Callable

SIZES = (50, 100, 200)


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


def growth(work: Callable[[int], Callable[[], object]]) -> float:
    """Return how many times more work an input of twice the size adds.

    It is 2 where the work grows with the input, and 4 where it grows with its square.

    Args:
        work: from a size to the function whose calls are counted.
    """
    small, middle, large = (calls(work(size)) for size in SIZES)
    return (large - middle) / (middle - small)
