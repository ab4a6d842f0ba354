"""A network as a graph of tensors and nodes."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

ABSENT = -1
"""In the inputs of a node: an optional one that it does not have."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tensor:
    """A tensor.

    Attributes:
        name: as the file has it.
        shape: with the batch, which is 1.
        dtype: as numpy names it.
        scales: of the quantization, one or one for each channel; empty of a float tensor.
        zero_points: as many.
        axis: of the channels.
        data: values of a constant, else None.
        variable: whether it keeps its values from one inference to the next.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int
    data: NDArray[Any] | None
    variable: bool = False

    @property
    def size(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    @property
    def scale(self) -> float:
        """The one scale."""
        (scale,) = self.scales
        return scale

    @property
    def zero_point(self) -> int:
        """The one zero point."""
        (zero_point,) = self.zero_points
        return zero_point


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """An operator with its place in the file.

    Attributes:
        index: place in the file's list.
        operator: as the schema names it, such as `CONV_2D`.
        inputs: places of tensors, -1 where an optional one is absent.
        outputs: places of tensors.
        options: of the operator, by the schema's names, such as ``strideH``.
        kind: name of the table of options in the schema, without ``Options``; empty without one.
    """

    index: int
    operator: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any]
    kind: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Graph:
    """A network.

    Attributes:
        tensors: all of them, by place.
        nodes: in the order in which they run.
        inputs: places of tensors.
        outputs: places of tensors.
    """

    tensors: tuple[Tensor, ...]
    nodes: tuple[Node, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
