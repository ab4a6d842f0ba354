"""The main graph of a .tflite, as far as rules of compilers look at it."""

import math
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

ABSENT = -1
"""Index of an input that an operator does without."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tensor:
    """A tensor.

    Attributes:
        shape: with the batch.
        free: the dimensions whose size the file leaves open.
        dtype: as numpy names it.
        scales: number of its scales; 0 where it is not quantized.
        zero_point: the first that it has, or 0.
        constant: whether the file holds its values, or it has none, as the shape of a scalar.
        variable: whether it is a state that operators keep.
        values: of small constants, such as axes and paddings.
    """

    shape: tuple[int, ...]
    free: tuple[int, ...]
    dtype: str
    scales: int
    zero_point: int
    constant: bool
    variable: bool
    values: NDArray[Any] | None = None

    @property
    def size(self) -> int:
        """Number of its values."""
        return math.prod(self.shape)


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """An operator.

    Attributes:
        index: its place in the file.
        name: in LiteRT's schema, or of a custom operator.
        custom: whether it is none of LiteRT's own.
        version: of the operator.
        inputs: indices of tensors, `ABSENT` for one that is left out.
        outputs: indices of tensors.
        output: name of the first tensor that it writes.
        options: fields of its table, by their names in the schema.
    """

    index: int
    name: str
    custom: bool
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    output: str
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Graph:
    """A main graph; all indices are of tensors that are there."""

    tensors: tuple[Tensor, ...]
    nodes: tuple[Node, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    def reads(self, node: Node) -> list[Tensor]:
        """Return what an operator reads, without what it leaves out."""
        return [self.tensors[index] for index in node.inputs if index != ABSENT]

    def given(self, node: Node, place: int) -> Tensor | None:
        """Return an input by its position; None where there is none."""
        if place >= len(node.inputs) or node.inputs[place] == ABSENT:
            return None
        return self.tensors[node.inputs[place]]

    def writes(self, node: Node) -> list[Tensor]:
        """Return what an operator writes."""
        return [self.tensors[index] for index in node.outputs]
