"""What is known of a model file without running it."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

Shape = tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Tensor:
    """An input or output.

    Attributes:
        shape: with the batch; -1 where a size is free.
        dtype: as numpy names it.
        scale: of integers that stand for floats; 0 for all others.
    """

    name: str
    shape: Shape
    dtype: str
    scale: float = 0.0
    zero_point: int = 0

    def __str__(self) -> str:
        """Return it in one line."""
        sizes = ", ".join("?" if size < 0 else str(size) for size in self.shape)
        scale = f", scale {self.scale:.6g}, zero point {self.zero_point}" if self.scale else ""
        return f"{self.name}: {self.dtype} ({sizes}){scale}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """What one operator does.

    Attributes:
        kind: the operator's name.
        macs: multiplications with an addition for one sample; None where they are not counted.
        weights: how its constant factors are stored, as "int8 per channel"; None where it has none.
    """

    kind: str
    macs: int | None = None
    weights: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelFacts:
    """What is in a model file.

    Attributes:
        format: kind of the file.
        size_bytes: of the file, or of all that belong to it.
        parameters: number of weights, biases and other constant factors.
        quantize: value of `quantize` that makes such a model; ``none`` for float32.
        operators: how many of each kind, of all graphs in the file.
        macs: of one sample, by kind of operator.
        not_counted: operators that `macs` leaves out, by kind.
        weights: operators by how their weights are stored.
        in_float: operators that compute in float although others compute in integers.
        notes: what else is to be said, a line each.
    """

    format: str
    size_bytes: int
    parameters: int
    quantize: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    operators: Mapping[str, int]
    macs: Mapping[str, int]
    not_counted: Mapping[str, int]
    weights: Mapping[str, int]
    in_float: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def record(self) -> dict[str, Any]:
        """Return it in JSON form."""
        return {**asdict(self), "macs_total": sum(self.macs.values())}


def tallied(works: Iterable[Work]) -> dict[str, dict[str, int]]:
    """Return what operators add up to, as `ModelFacts` has it."""
    every = list(works)
    macs: Counter[str] = Counter()
    for work in every:
        if work.macs is not None:
            macs[work.kind] += work.macs
    return {
        "operators": _counted(work.kind for work in every),
        "macs": dict(macs.most_common()),
        "not_counted": _counted(work.kind for work in every if work.macs is None),
        "weights": _counted(work.weights for work in every if work.weights),
    }


def _counted(names: Iterable[str]) -> dict[str, int]:
    return dict(Counter(names).most_common())


def product(shape: Iterable[int]) -> int:
    """Return the number of values of one sample: free sizes, as that of the batch, are 1."""
    return math.prod(max(int(size), 1) for size in shape)
