"""The inputs or outputs of a network for some samples: one array for each, by name."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

INPUT, OUTPUT = "input", "output"
"""Names of the tensors of a network that has one of them."""


@dataclass(frozen=True, eq=False, slots=True)
class Tensors:
    """Named arrays with a row for each sample; along the samples they are used like one array.

    Attributes:
        arrays: each (n, *shape), in the order of the network's inputs or outputs.
    """

    arrays: "Mapping[str, NDArray[Any]]"

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.first)

    def __getitem__(self, rows: "slice | NDArray[np.int64]") -> "Tensors":
        """Return some of the samples."""
        return Tensors({name: array[rows] for name, array in self.arrays.items()})

    def __iter__(self) -> "Iterator[list[NDArray[Any]]]":
        """Yield the arrays of each sample, with a batch of 1, by position."""
        for row in range(len(self)):
            yield [array[row : row + 1] for array in self.arrays.values()]

    @property
    def first(self) -> "NDArray[Any]":
        """The first array: the only one of most networks."""
        return next(iter(self.arrays.values()))


def stacked(names: Sequence[str], rows: "Sequence[Sequence[NDArray[Any]]]") -> Tensors:
    """Return the arrays of samples, each with a batch of 1 and by position, as tensors."""
    import numpy as np

    columns = zip(names, zip(*rows, strict=True), strict=True)
    return Tensors({name: np.concatenate(column) for name, column in columns})
