"""One operator's tensors and options, each checked as it is asked for."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeflow.errors import CompileError
from edgeflow.targets.mcu.flatbuffer import damaged
from edgeflow.targets.mcu.graph import ABSENT, Graph, Node, Tensor
from edgeflow.targets.mcu.layers.base import Unsupported

LARGEST = 2**24
"""Of an option that counts values, such as a stride."""


class Form:
    """What a rule asks of a node.

    All methods raise `Unsupported` for what a sound network may have and no kernel takes, and
    `CompileError` for what no converter writes.
    """

    def __init__(self, graph: Graph, node: Node) -> None:
        self._graph, self._node = graph, node

    def damage(self, what: str) -> CompileError:
        """Return the error for a node that no converter writes."""
        return damaged(f"{self._node.operator} {self._node.index} {what}")

    def has(self, inputs: int, optional: int = 0, outputs: int = 1, kind: str = "") -> None:
        """Check how many tensors there are, and the kind of the options."""
        count = len(self._node.inputs)
        if not inputs <= count <= inputs + optional or ABSENT in self._node.inputs[:inputs]:
            raise self.damage(f"has {count} inputs")
        if len(self._node.outputs) != outputs:
            raise self.damage(f"has {len(self._node.outputs)} outputs")
        if kind and self._node.kind != kind:
            raise self.damage(f"has options of {self._node.kind or 'nothing'}")

    def present(self, number: int) -> bool:
        """Return whether there is an optional input."""
        return len(self._node.inputs) > number and self._node.inputs[number] != ABSENT

    def input(self, number: int = 0, rank: int | None = None) -> Tensor:
        """Return an int8 input with one scale."""
        return self._quantized(self._graph.tensors[self._node.inputs[number]], rank)

    def output(self, number: int = 0) -> Tensor:
        """Return an int8 output with one scale."""
        return self._quantized(self._graph.tensors[self._node.outputs[number]], None)

    def _quantized(self, tensor: Tensor, rank: int | None) -> Tensor:
        if tensor.dtype != "int8":
            raise Unsupported(
                f"has a tensor of {tensor.dtype}", "quantize it to int8, as the recipe ptq-int8"
            )
        if tensor.variable:
            raise self.damage(f"computes on the state {tensor.name!r}")
        if len(tensor.scales) != 1 or tensor.scale == 0 or tensor.size == 0:
            raise self.damage(f"has the tensor {tensor.name!r} without one scale, or empty")
        self._ranked(tensor, rank)
        return tensor

    def _ranked(self, tensor: Tensor, rank: int | None) -> None:
        if rank is not None and len(tensor.shape) != rank:
            raise Unsupported(
                f"has a tensor of {len(tensor.shape)} dimensions", f"reshape it to {rank}"
            )

    def weights(self, number: int, rank: int, axis: int) -> Tensor:
        """Return constant int8 weights, with a scale or one for each channel along `axis`."""
        tensor = self._graph.tensors[self._node.inputs[number]]
        if tensor.dtype != "int8":
            raise Unsupported(
                f"has weights of {tensor.dtype}", "quantize them to int8, as the recipe ptq-int8"
            )
        if tensor.data is None:
            raise Unsupported("has weights that are computed", "make them constants")
        if len(tensor.shape) != rank:
            raise self.damage(f"has weights of {len(tensor.shape)} dimensions")
        scales = len(tensor.scales)
        if not scales or (scales > 1 and tensor.axis != axis) or any(tensor.zero_points):
            raise self.damage("has weights of an unknown scale, or with zero points")
        return tensor

    def sums(self, source: Tensor, weights: Tensor, axis: int) -> None:
        """Check the optional bias, the third input, and that no sum can leave 32 bits."""
        channels = weights.shape[axis]
        bias = np.zeros(channels, np.int64)
        if self.present(2):
            tensor = self._graph.tensors[self._node.inputs[2]]
            if tensor.dtype != "int32" or tensor.data is None:
                raise Unsupported("has a bias that is no int32 constant", "make it one")
            if tensor.size != channels:
                raise self.damage(f"has {tensor.size} values of bias for {channels} channels")
            bias += tensor.data.ravel()
        others = tuple(one for one in range(len(weights.shape)) if one != axis)
        values = np.asarray(weights.data, np.int32)
        reach = np.abs(values).sum(axis=others, dtype=np.int64)
        if (np.abs(bias) + reach * (128 + abs(source.zero_point))).max() >= 2**31:
            raise Unsupported("has sums above 32 bits", "train it with smaller weights")

    def state(self, number: int, dtype: str, size: int) -> Tensor:
        """Return an input that keeps its values from one step to the next."""
        tensor = self._graph.tensors[self._node.inputs[number]]
        if tensor.dtype != dtype:
            raise Unsupported(f"has a state of {tensor.dtype}", f"quantize it to {dtype}")
        if not tensor.variable or len(tensor.scales) != 1 or not tensor.scale:
            raise self.damage(f"has {tensor.name!r} as a state, which is none")
        if tensor.size != size:
            raise self.damage(f"has a state of {tensor.size} values for {size}")
        return tensor

    def constant(self, number: int, *shape: int) -> NDArray[Any]:
        """Return an integer constant of a shape."""
        tensor = self._graph.tensors[self._node.inputs[number]]
        if tensor.data is None:
            raise Unsupported("has sizes that are computed", "make them constants")
        if tensor.dtype != "int32":
            raise Unsupported(f"has sizes of {tensor.dtype}", "export them as int32")
        if tensor.shape != shape and not (tensor.size == math.prod(shape) == 1):
            raise self.damage(f"has {tensor.shape} values instead of {shape}")
        return tensor.data.astype(np.int64).reshape(shape)

    def constants(self, number: int) -> list[int]:
        """Return a vector of integer constants."""
        size = self._graph.tensors[self._node.inputs[number]].size
        return [int(value) for value in self.constant(number, size)]

    def _value(self, name: str) -> Any:
        if name not in self._node.options:
            raise self.damage(f"has no {name}")
        return self._node.options[name]

    def option(self, name: str, least: int = 0, most: int = LARGEST) -> int:
        """Return an option that is an integer within limits."""
        value = int(self._value(name))
        if not least <= value <= most:
            raise self.damage(f"has {name} = {value}")
        return value

    def real(self, name: str) -> float:
        """Return an option that is a finite number."""
        value = float(self._value(name))
        if not math.isfinite(value):
            raise self.damage(f"has {name} = {value}")
        return value

    def numbers(self, name: str) -> list[int]:
        """Return an option that is a vector."""
        values = self._value(name)
        return [] if values is None else [int(value) for value in values]

    def axis(self, value: int, rank: int) -> int:
        """Return an axis, counted from the first."""
        if not -rank <= value < rank:
            raise self.damage(f"has the axis {value} of {rank} dimensions")
        return value % rank

    def gives(self, *shape: int, number: int = 0) -> None:
        """Check the shape of an output."""
        found = self.output(number).shape
        if found != shape:
            raise self.damage(f"gives {found}, and its output would be {shape}")

    def keeps_quantization(self, source: Tensor) -> None:
        """Check that values pass unchanged."""
        for number in range(len(self._node.outputs)):
            target = self.output(number)
            if (source.scale, source.zero_point) != (target.scale, target.zero_point):
                raise Unsupported(
                    "changes the scale or zero point", "quantize its input and output alike"
                )

    def one_sample(self, tensor: Tensor) -> None:
        """Check that there is one image."""
        if tensor.shape[0] != 1:
            raise Unsupported(f"has a batch of {tensor.shape[0]}", "export it with a batch of 1")

    def count(self) -> int:
        """Return how many inputs there are."""
        return len(self._node.inputs)

    def input_size(self, number: int) -> int:
        """Return how many values an input has."""
        return self._graph.tensors[self._node.inputs[number]].size


Rule = Callable[[Form], None]
"""Raises what `Form` raises."""
