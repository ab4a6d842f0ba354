"""A layer of the generated code: a kernel with its constants, and what it reads and writes."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeflow.targets.mcu.graph import Graph, Node, Tensor
from edgeflow.targets.mcu.narrow import Narrow
from edgeflow.targets.mcu.settings import Profile

ACTIVATIONS = {0: "NONE", 1: "RELU", 2: "RELU_N1_TO_1", 3: "RELU6", 4: "TANH", 5: "SIGN_BIT"}
"""`ActivationFunctionType` of the schema."""

REALS: dict[Profile, type[np.floating[Any]]] = {"tflm": np.float64, "litert-ref": np.float32}
"""By profile, in what operators without weights compute their multipliers from scales.

Those that LiteRT computes in float64 too say so.
"""


class Unsupported(Exception):
    """An operator, or a form of one, that no kernel takes.

    Attributes:
        reason: the rest of a sentence that begins with the operator, such as "reads int16".
        advice: what to change in the network.
    """

    def __init__(self, reason: str, advice: str) -> None:
        super().__init__(reason)
        self.reason, self.advice = reason, advice


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """How sums become outputs.

    Attributes:
        factors: as of `fixed_point.multiplier`, or, rounded once, `double_multiplier`.
        sums: the smallest and the largest one that can occur.
        narrow: a formula that equals it for these; None if none was found.
    """

    factors: tuple[int, ...]
    sums: tuple[int, int]
    narrow: Narrow | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Unrolled:
    """A dense layer as code of its own.

    Attributes:
        weights: of each unit.
        bias: of each unit, with what the input's zero point adds.
        scales: all that differ.
        scale_of_unit: place in them, of each unit.
    """

    weights: Sequence[Sequence[int]]
    bias: Sequence[int]
    scales: Sequence[Scale]
    scale_of_unit: Sequence[int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Layer:
    """One call of a kernel.

    Attributes:
        node: that it comes from.
        kernel: C function, in ``kernels/`` under its name without ``nn_``; its parameters are a
            struct of the same name and ``_t``.
        values: scalar members of that struct.
        arrays: its members that point to constants; int8, int16, int32, uint8 or uint16.
        reads: places of tensors, in the order of the kernel's arguments.
        writes: likewise, after them.
        slack: for each tensor read, by how many bytes what is written must start before it, to be
            written over it safely: 0 for element by element in place; None for never.
        in_place: whether the one tensor written may lie exactly where the one that is read lies,
            of the same size, whatever its slack.
        scratch_bytes: of working memory, the last argument where there is any; 4-byte aligned.
        macs: multiplications with accumulation.
        notes: lines about it for the comment above its call.
        unrolled: what is written as code of its own, in place of a call of the kernel.
    """

    node: Node
    kernel: str
    values: Mapping[str, int]
    arrays: Mapping[str, NDArray[Any]]
    reads: tuple[int, ...]
    writes: tuple[int, ...]
    slack: tuple[int | None, ...]
    in_place: bool = False
    scratch_bytes: int = 0
    macs: int = 0
    notes: tuple[str, ...] = ()
    unrolled: Unrolled | None = None

    @property
    def weights_bytes(self) -> int:
        """Bytes of its constants."""
        return sum(array.nbytes for array in self.arrays.values())


def owners(layers: Sequence[Layer]) -> list[dict[str, int]]:
    """Return for each layer and each of its arrays the first layer that has an equal one.

    Unrolled layers have none. Equal arrays of one layer stay apart.
    """
    first: dict[tuple[str, str, bytes], int] = {}
    found: list[dict[str, int]] = []
    for number, layer in enumerate(layers):
        arrays = {} if layer.unrolled is not None else layer.arrays
        keys = {name: (name, one.dtype.name, one.tobytes()) for name, one in arrays.items()}
        found.append({name: first.setdefault(key, number) for name, key in keys.items()})
    return found


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """A tensor that is another one under a new shape: no code."""

    node: Node
    read: int
    write: int


def slack(order: NDArray[np.int64]) -> int:
    """Return by how many bytes an output must start before an input to be written over it.

    Args:
        order: for each byte of the output, in the order in which they are written, which byte of
            the input it needs; -1 for none.
    """
    last = np.full(int(order.max(initial=-1)) + 1, -1)
    np.maximum.at(last, order[order >= 0], np.flatnonzero(order >= 0))
    read = np.flatnonzero(last >= 0)
    return int(max(0, (last[read] - read).max(initial=0)))


def fused_range(graph: Graph, node: Node, place: int) -> tuple[int, int]:
    """Return the smallest and largest quantized value that a fused activation lets through.

    Source: `CalculateActivationRangeQuantized` in tensorflow/lite/kernels/kernel_util.cc.

    Raises:
        Unsupported: it is no clamp, or its ends leave 32 bits.
    """
    name = ACTIVATIONS.get(int(node.options.get("fusedActivationFunction", 0)), "unknown")
    bounds: dict[str, tuple[float | None, float | None]] = {
        "NONE": (None, None),
        "RELU": (0.0, None),
        "RELU_N1_TO_1": (-1.0, 1.0),
        "RELU6": (0.0, 6.0),
    }
    if name not in bounds:
        raise Unsupported(f"has the fused activation {name}", "use a clamp, as ReLU, or a layer")
    low, high = (
        None if bound is None else code(bound, graph.tensors[place]) for bound in bounds[name]
    )
    return (-128 if low is None else max(-128, low)), (127 if high is None else min(127, high))


def code(real: float, tensor: Tensor) -> int:
    """Return the quantized value of a real one, which may leave 8 bits.

    It is as TensorFlow Lite computes it: divided in float32, then rounded half away from zero.

    Raises:
        Unsupported: it leaves 32 bits.
    """
    quotient = float(np.float32(real) / np.float32(tensor.scale))
    if abs(quotient) >= 2**31:
        raise Unsupported("has an output of a scale near zero", "calibrate it again")
    return tensor.zero_point + half_away(quotient)


def half_away(real: float) -> int:
    """Return the nearest integer, of two as near the one farther from zero."""
    return math.trunc(real + math.copysign(0.5, real))
