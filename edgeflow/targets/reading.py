"""Reads the main graph of a .tflite for the rules of compilers; no code runs on its bytes."""

import math
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeflow.config.flatbuffer import Budget, mapped
from edgeflow.config.tflitefile import Operator, dtype_of, read_tflite
from edgeflow.targets.graph import ABSENT, Graph, Node, Tensor

_VALUES_BYTES = 2**16
"""Constants up to this size are read: axes, sizes, paddings, short vectors."""
_MAX_RANK = 16
_FIELDS = """
AlignCorners Axis DilationHFactor DilationWFactor EllipsisMask FusedActivationFunction
HalfPixelCenters NewAxisMask WeightsFormat
"""
FIELDS = tuple(_FIELDS.split())
"""Fields of operators' options that rules look at."""


def read_graph(path: Path) -> Graph | None:
    """Return the main graph of a .tflite; None of a file that is none, or damaged."""
    read = read_tflite(path)
    if read is None:
        return None
    main = [operator for operator in read.operators if operator.place is not None]
    try:
        return _graph(mapped(path), main, Budget(path.stat().st_size))
    except (struct.error, AttributeError, LookupError, TypeError, ValueError, OSError):
        return None


def _graph(content: Any, operators: Sequence[Operator], budget: Budget) -> Graph:
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(content, 0)
    main = model.Subgraphs(0)
    tensors = tuple(
        _tensor(model, main.Tensors(index), budget) for index in budget.length(main.TensorsLength())
    )
    nodes = tuple(
        _node(schema, main.Operators(place), operator, budget)
        for place, operator in enumerate(operators)
    )
    graph = Graph(
        tensors=tensors,
        nodes=nodes,
        inputs=_numbers(main, "Inputs", budget),
        outputs=_numbers(main, "Outputs", budget),
    )
    places = [*graph.inputs, *graph.outputs]
    for node in nodes:
        places += [*(index for index in node.inputs if index != ABSENT), *node.outputs]
    if not all(0 <= index < len(tensors) for index in places):
        raise LookupError("a tensor that is not there")
    return graph


def _numbers(table: Any, vector: str, budget: Budget) -> tuple[int, ...]:
    at = getattr(table, vector)
    return tuple(int(at(i)) for i in budget.length(getattr(table, f"{vector}Length")()))


def _node(schema: Any, table: Any, operator: Operator, budget: Budget) -> Node:
    return Node(
        index=operator.place or 0,
        name=operator.name,
        custom=operator.custom,
        version=operator.version,
        inputs=_numbers(table, "Inputs", budget),
        outputs=_numbers(table, "Outputs", budget),
        output=operator.output,
        options=_options(schema, table),
    )


def _options(schema: Any, table: Any) -> dict[str, Any]:
    names = {code: name for name, code in vars(schema.BuiltinOptions).items()}
    union = table.BuiltinOptions()
    cls = getattr(schema, str(names.get(table.BuiltinOptionsType())), None)
    if union is None or cls is None:
        return {}
    found = cls()
    found.Init(union.Bytes, union.Pos)
    return {field: getattr(found, field)() for field in FIELDS if hasattr(found, field)}


def _tensor(model: Any, table: Any, budget: Budget) -> Tensor:
    shape = _numbers(table, "Shape", budget)
    if len(shape) > _MAX_RANK:
        raise ValueError("a tensor of too many dimensions")
    signature = _numbers(table, "ShapeSignature", budget)
    quantization = table.Quantization()
    scales = quantization.ScaleLength() if quantization else 0
    points = quantization.ZeroPointLength() if quantization else 0
    buffer = model.Buffers(table.Buffer())
    return Tensor(
        shape=shape,
        free=tuple(axis for axis, size in enumerate(signature) if size < 0),
        dtype=dtype_of(table),
        scales=scales,
        zero_point=int(quantization.ZeroPoint(0)) if points else 0,
        constant=bool(buffer.DataLength() or buffer.Offset() > 1) or 0 in shape,
        variable=bool(table.IsVariable()),
        values=_values(buffer, dtype_of(table), shape),
    )


def _values(buffer: Any, dtype: str, shape: tuple[int, ...]) -> NDArray[Any] | None:
    """Return the values of a small constant that is stored as it is: dense, and whole."""
    if not 0 < buffer.DataLength() <= _VALUES_BYTES or dtype not in _NUMPY:
        return None
    raw = np.array(buffer.DataAsNumpy(), np.uint8)  # a copy, so that the file may be closed
    if raw.nbytes != math.prod(shape) * np.dtype(dtype).itemsize:
        return None
    return np.frombuffer(raw, np.dtype(dtype).newbyteorder("<")).reshape(shape)


_NUMPY = frozenset({"int8", "uint8", "int32", "int64"})
