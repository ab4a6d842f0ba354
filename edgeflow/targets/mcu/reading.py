"""An int8 .tflite as a graph, checked as it is read."""

import math
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeflow.errors import CompileError
from edgeflow.targets.mcu.conversions import without_conversions
from edgeflow.targets.mcu.flatbuffer import Reader, damaged
from edgeflow.targets.mcu.graph import Graph, Node, Tensor
from edgeflow.targets.mcu.structure import check_order, check_places, without_float_edges

MAX_RANK = 8
MAX_VALUES = 2**24
"""Of all tensors that are computed: more than the memory of microcontrollers holds."""
MAX_TENSORS = 1_500
"""That are computed; the time to place those that live together grows with the square."""
_CONSTANTS = {"int8", "uint8", "int16", "int32", "int64", "float16", "float32", "bool"}
_RANGES = {"int8": (-128, 127), "uint8": (0, 255), "int16": (0, 0), "int32": (0, 0)}


def read_graph(model: bytes | Path) -> Graph:
    """Return the network of a .tflite, with int8 at its edges.

    Where a QUANTIZE or DEQUANTIZE stands between float and int8 at an edge, it is left out; others
    are where a constant, or a function that can be a table, makes up for them.
    Each tensor has a size that the file can be right about, data of that size if it is a constant,
    and finite scales; each is written before it is read. What an operator's tensors and options
    must be among each other is checked by `edgeflow.targets.mcu.rules`.

    Raises:
        CompileError: the file is damaged, or is no .tflite.
    """
    content = model if isinstance(model, bytes) else model.read_bytes()
    reader = Reader(content)
    try:
        graph = _graph(reader, content)
    except (struct.error, AttributeError, LookupError, TypeError, ValueError, AssertionError) as e:
        raise damaged("something in it refers to what is not there") from e
    graph = without_float_edges(graph)
    check_order(graph)
    return without_conversions(graph)


def _graph(reader: Reader, content: bytes) -> Graph:
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(content, 0)
    if model.SubgraphsLength() != 1:
        raise CompileError(
            f"the .tflite has {model.SubgraphsLength()} subgraphs, and the C is of one",
            hint="export the network without control flow",
        )
    main = model.Subgraphs(0)
    codes = reader.tables(model.OperatorCodesLength(), model.OperatorCodes)
    names = [_operator(schema, reader, code) for code in codes]
    buffers = reader.tables(model.BuffersLength(), model.Buffers)
    tensors = reader.tables(main.TensorsLength(), main.Tensors)
    nodes = reader.tables(main.OperatorsLength(), main.Operators)
    graph = Graph(
        tensors=tuple(_tensor(schema, reader, tensor, buffers) for tensor in tensors),
        nodes=tuple(_node(schema, reader, n, node, names) for n, node in enumerate(nodes)),
        inputs=reader.numbers(main, "Inputs"),
        outputs=reader.numbers(main, "Outputs"),
    )
    check_places(graph)
    _check_size(graph)
    return graph


def _check_size(graph: Graph) -> None:
    """Raise if there is more to compute than a microcontroller could, or than can be planned."""
    computed = [tensor.size for tensor in graph.tensors if tensor.data is None]
    if len(computed) > MAX_TENSORS or sum(computed) > MAX_VALUES:
        raise CompileError(
            f"the network computes {len(computed)} tensors of {sum(computed)} values, "
            f"and more than {MAX_TENSORS} or {MAX_VALUES} are for no microcontroller",
            hint="choose a smaller network",
        )


def _operator(schema: Any, reader: Reader, code: Any) -> str:
    """Return the name of a kind of operators."""
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    if number == schema.BuiltinOperator.CUSTOM:
        return reader.text(code.CustomCode()) or "CUSTOM"
    return _names(schema.BuiltinOperator).get(number, f"operator {number}")


def _names(enumeration: type) -> dict[int, str]:
    return {number: name for name, number in vars(enumeration).items() if name.isupper()}


def _node(schema: Any, reader: Reader, index: int, node: Any, names: Sequence[str]) -> Node:
    kind, options = reader.options(schema, node)
    return Node(
        index=index,
        operator=names[node.OpcodeIndex()],
        inputs=reader.numbers(node, "Inputs"),
        outputs=reader.numbers(node, "Outputs"),
        kind=kind,
        options=options,
    )


def _tensor(schema: Any, reader: Reader, tensor: Any, buffers: Sequence[Any]) -> Tensor:
    shape = reader.numbers(tensor, "Shape")
    if len(shape) > MAX_RANK or min(shape, default=0) < 0 or math.prod(shape) > MAX_VALUES:
        raise damaged(f"a tensor has the shape {shape[:MAX_RANK]}")
    dtype = _names(schema.TensorType)[tensor.Type()].lower()
    quantization = tensor.Quantization() or schema.QuantizationParametersT()
    known = tensor.Quantization() is not None
    found = Tensor(
        name=reader.text(tensor.Name()),
        shape=shape,
        dtype=dtype,
        scales=reader.numbers(quantization, "Scale") if known else (),
        zero_points=reader.numbers(quantization, "ZeroPoint") if known else (),
        axis=quantization.QuantizedDimension() if known else 0,
        data=_data(reader, buffers[tensor.Buffer()], dtype, shape),
        variable=tensor.IsVariable(),
    )
    _check_quantization(found)
    if found.variable and found.data is not None:
        raise damaged(f"{found.name!r} is a constant that varies")
    if tensor.Sparsity() is not None or (known and quantization.DetailsType()):
        raise CompileError(
            f"the tensor {found.name!r} is stored sparse, or quantized by blocks",
            hint="export the network without these",
        )
    return found


def _data(reader: Reader, buffer: Any, dtype: str, shape: tuple[int, ...]) -> NDArray[Any] | None:
    """Return the values of a constant, a view of the file."""
    if buffer.Offset() > 1:
        raise CompileError(
            "the .tflite has constants outside of its flatbuffer", hint="choose a smaller network"
        )
    if not buffer.DataLength():
        return None
    raw = buffer.DataAsNumpy()
    if dtype not in _CONSTANTS or raw.nbytes != math.prod(shape) * np.dtype(dtype).itemsize:
        raise damaged(f"{raw.nbytes} bytes are not {shape} of {dtype}")
    reader.spend(raw.nbytes)
    return np.frombuffer(raw, np.dtype(dtype).newbyteorder("<")).reshape(shape)


def _check_quantization(tensor: Tensor) -> None:
    """Raise if scales and zero points are no numbers that a converter could mean."""
    scales, zero_points = tensor.scales, tensor.zero_points
    channels = tensor.shape[tensor.axis] if 0 <= tensor.axis < len(tensor.shape) else 0
    if len(scales) != len(zero_points) or len(scales) not in {0, 1, channels}:
        raise damaged(
            f"{tensor.name!r} has {len(scales)} scales and {len(zero_points)} zero points"
        )
    if not all(math.isfinite(scale) and scale >= 0 for scale in scales):
        raise damaged(f"{tensor.name!r} has scales below zero, or no numbers")
    if tensor.dtype in _RANGES:
        low, high = _RANGES[tensor.dtype]
        if not all(low <= zero_point <= high for zero_point in zero_points):
            raise damaged(f"{tensor.name!r} has zero points that {tensor.dtype} cannot hold")
