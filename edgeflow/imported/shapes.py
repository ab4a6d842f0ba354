"""How the sizes of a file's tensors and those of a dataset's samples belong together."""

from collections.abc import Sequence

Sizes = Sequence[int | None]
"""Sizes without the batch; None where one is free."""


def bound(declared: Sizes, sample: Sequence[int]) -> tuple[int, ...] | None:
    """Return the declared sizes with the free ones bound to those of a sample; None for a misfit.

    Where the ranks differ, sizes of 1 may be missing or added: (640,) fits (640, 1), and
    (28, 28, 1) fits (28, 28). The order of the values is the same in both.
    """
    if len(declared) == len(sample):
        fits = all(size in (None, want) for size, want in zip(declared, sample, strict=True))
        return tuple(sample) if fits else None
    rest = [size for size in declared if size != 1]
    core = [size for size in sample if size != 1]
    if len(rest) != len(core):
        return None
    if any(size not in (None, want) for size, want in zip(rest, core, strict=True)):
        return None
    left = iter(core)
    return tuple(1 if size == 1 else next(left) for size in declared)


def first(sample: Sequence[int]) -> tuple[int, ...]:
    """Return the shape of a sample whose channels are moved to the front."""
    return (sample[-1], *sample[:-1])


def told(shape: Sizes) -> str:
    """Return sizes as messages show them, ``?`` for a free one."""
    sizes = ["?" if size is None else str(size) for size in shape]
    return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"
