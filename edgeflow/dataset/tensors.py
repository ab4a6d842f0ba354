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

    @property
    def argument(self) -> "NDArray[Any] | tuple[NDArray[Any], ...]":
        """What a Keras model is called with: the one array, or all of them."""
        arrays = tuple(self.arrays.values())
        return arrays[0] if len(arrays) == 1 else arrays


def stored(array: "NDArray[Any]") -> Tensors:
    """Return the inputs that stored samples hold: a plain array is one, else each field is one."""
    names = array.dtype.names
    return Tensors({name: array[name] for name in names} if names else {INPUT: array})


def listed(outputs: Any) -> list[Any]:
    """Return what a model or an engine gives as a list: of one output it may be the bare array."""
    return list(outputs) if isinstance(outputs, list | tuple) else [outputs]


def numbered(name: str, count: int) -> list[str]:
    """Return the names of `count` tensors, in an order that sorting keeps."""
    return [name] if count == 1 else [f"{name}_{place:02}" for place in range(count)]


def stacked(names: Sequence[str], rows: "Sequence[Sequence[NDArray[Any]]]") -> Tensors:
    """Return the arrays of samples, each with a batch of 1 and by position, as tensors."""
    import numpy as np

    columns = zip(names, zip(*rows, strict=True), strict=True)
    return Tensors({name: np.concatenate(column) for name, column in columns})
