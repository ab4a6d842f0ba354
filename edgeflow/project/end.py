"""An input or output of a model file."""

from typing import NamedTuple

Sizes = tuple[int | None, ...]
"""Sizes without the batch; None where one is free."""


class End(NamedTuple):
    """An input or output.

    Attributes:
        name: as the file has it.
        sizes: None where the file does not tell them.
        dtype: as numpy names it; empty where the file does not tell.
    """

    name: str
    sizes: Sizes | None
    dtype: str = ""

    def told(self) -> str:
        """Return it in words."""
        sizes = ["?" if size is None else str(size) for size in self.sizes or ()]
        return " ".join(filter(None, [self.name, "x".join(sizes), self.dtype]))


Ends = tuple[tuple[End, ...], tuple[End, ...], tuple[str, ...]]
"""Inputs, outputs, and what else the file tells."""
