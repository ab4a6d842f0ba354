"""An int8 .tflite as a graph of tensors and nodes, checked as it is read."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeflow.errors import CompileError


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
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int
    data: NDArray[Any] | None

    @property
    def size(self) -> int:
        """Number of values."""
        return int(np.prod(self.shape, dtype=np.int64))

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
    """

    index: int
    operator: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any]


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


def read_graph(model: bytes | Path) -> Graph:
    """Return the network of a .tflite, with int8 at its edges.

    Where a QUANTIZE or DEQUANTIZE stands between float and int8 at an edge, it is left out.

    Raises:
        CompileError: the file is damaged, or is no .tflite.
    """
    content = model if isinstance(model, bytes) else model.read_bytes()
    try:
        return _without_float_edges(_graph(content))
    except (struct.error, AttributeError, LookupError, TypeError, ValueError) as error:
        raise CompileError(
            f"the .tflite is damaged: {type(error).__name__}: {error}", hint="export it again"
        ) from error


def _graph(content: bytes) -> Graph:
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(content)
    (main,) = model.subgraphs
    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if name.isupper()}
    codes = [names[max(c.builtinCode, c.deprecatedBuiltinCode)] for c in model.operatorCodes]
    return Graph(
        tensors=tuple(_tensor(schema, tensor, model.buffers) for tensor in main.tensors),
        nodes=tuple(
            Node(
                index=index,
                operator=codes[node.opcodeIndex],
                inputs=_places(node.inputs),
                outputs=_places(node.outputs),
                options=vars(node.builtinOptions) if node.builtinOptions else {},
            )
            for index, node in enumerate(main.operators)
        ),
        inputs=_places(main.inputs),
        outputs=_places(main.outputs),
    )


def _tensor(schema: Any, tensor: Any, buffers: Any) -> Tensor:
    types = {code: name for name, code in vars(schema.TensorType).items() if name.isupper()}
    dtype = types[tensor.type].lower()
    shape = _places(tensor.shape)
    quantization = tensor.quantization
    scales = getattr(quantization, "scale", None)
    zero_points = getattr(quantization, "zeroPoint", None)
    raw = buffers[tensor.buffer].data
    data = None
    if raw is not None and len(raw):
        data = np.frombuffer(bytes(raw), np.dtype(dtype).newbyteorder("<")).reshape(shape)
    return Tensor(
        name=(tensor.name or b"").decode("utf-8", "replace"),
        shape=shape,
        dtype=dtype,
        scales=tuple(float(scale) for scale in ([] if scales is None else scales)),
        zero_points=_places(zero_points),
        axis=int(getattr(quantization, "quantizedDimension", 0)),
        data=data,
    )


def _places(values: Any) -> tuple[int, ...]:
    return tuple(int(value) for value in ([] if values is None else values))


def _without_float_edges(graph: Graph) -> Graph:
    """Return a graph that takes and gives int8."""

    def is_edge(node: Node) -> bool:
        if node.operator == "QUANTIZE":
            return node.inputs[0] in graph.inputs and _is_float(graph, node.inputs[0])
        return node.operator == "DEQUANTIZE" and node.outputs[0] in graph.outputs

    edges = [node for node in graph.nodes if is_edge(node)]
    ahead = {node.inputs[0]: node.outputs[0] for node in edges if node.operator == "QUANTIZE"}
    behind = {node.outputs[0]: node.inputs[0] for node in edges if node.operator == "DEQUANTIZE"}
    return replace(
        graph,
        nodes=tuple(node for node in graph.nodes if node not in edges),
        inputs=tuple(ahead.get(place, place) for place in graph.inputs),
        outputs=tuple(behind.get(place, place) for place in graph.outputs),
    )


def _is_float(graph: Graph, place: int) -> bool:
    return graph.tensors[place].dtype == "float32"
