"""What a .tflite says of itself, read without an interpreter: no code runs on its bytes."""

import struct
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from edgeflow.config.fileidentity import Identity, identity
from edgeflow.config.flatbuffer import Budget, mapped

CONVERSIONS = frozenset({"QUANTIZE", "DEQUANTIZE"})
"""Operators that change the type of a tensor, and compute nothing."""

_PLACEHOLDERS = frozenset({"CUSTOM", "DELEGATE", "PLACEHOLDER_FOR_GREATER_OP_CODES"})
"""Codes of the schema that are no operators by themselves."""


class Tensor(NamedTuple):
    """A tensor of the main graph.

    Attributes:
        name: as the file has it.
        shape: with the batch; -1 where a size is free.
        dtype: as numpy names it.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str


class Operator(NamedTuple):
    """An operator of any graph of a .tflite, as of the body of a loop.

    Attributes:
        name: as LiteRT's schema has it, such as `CONV_2D`; of one that is none of LiteRT's own,
            the name that the file gives it.
        custom: whether it is none of LiteRT's own.
        dtypes: of the tensors that it reads and writes, without constants as weights.
        output: name of the first tensor that it writes.
        place: in the main graph, from 0; None of operators of other graphs.
        version: of the operator, as the file has it.
    """

    name: str
    custom: bool
    dtypes: frozenset[str]
    output: str
    place: int | None
    version: int


class Tflite(NamedTuple):
    """The main graph of a .tflite, and the operators of all its graphs.

    Attributes:
        tensors: all of them.
        inputs: their places in `tensors`.
        outputs: their places in `tensors`.
        custom: names of the operators that are none of LiteRT's own, sorted.
        operators: in the order in which they run; those of the main graph come first.
    """

    tensors: tuple[Tensor, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    custom: tuple[str, ...]
    operators: tuple[Operator, ...]


def computes_in(operator: Operator, *dtypes: str) -> bool:
    """Return whether an operator that is no mere conversion reads or writes such tensors."""
    return operator.name not in CONVERSIONS and not operator.dtypes.isdisjoint(dtypes)


def is_builtin(name: str) -> bool:
    """Return whether LiteRT's schema has an operator of a name, which stands for no others."""
    return name in _names("BuiltinOperator").values() and name not in _PLACEHOLDERS


def read_tflite(path: Path) -> Tflite | None:
    """Return what a file holds, or None if that is no .tflite."""
    try:
        return _read(identity(path))
    except OSError:
        return None


@cache
def _read(file: Identity) -> Tflite | None:
    from ai_edge_litert import schema_py_generated as schema

    content, budget = mapped(file.path), Budget(file.size_bytes)
    if content[4:8] != b"TFL3":
        return None
    try:
        model = schema.Model.GetRootAs(content, 0)
        codes = [
            _code(model.OperatorCodes(i), budget) for i in _each(model, "OperatorCodes", budget)
        ]
        graphs = [model.Subgraphs(i) for i in _each(model, "Subgraphs", budget)]
        tensors = [
            [_tensor(graph.Tensors(i), budget) for i in _each(graph, "Tensors", budget)]
            for graph in graphs
        ]
        main = graphs[0]
        return Tflite(
            tensors=tuple(tensors[0]),
            inputs=tuple(main.Inputs(i) for i in _each(main, "Inputs", budget)),
            outputs=tuple(main.Outputs(i) for i in _each(main, "Outputs", budget)),
            custom=tuple(sorted({name for name, custom, _ in codes if custom})),
            operators=tuple(
                operator
                for number, graph in enumerate(graphs)
                for operator in _operators(model, graph, number, tensors[number], codes, budget)
            ),
        )
    except (struct.error, AttributeError, LookupError, TypeError, ValueError):
        return None  # cut off, or damaged


def _each(table: Any, vector: str, budget: Budget) -> range:
    return budget.length(getattr(table, f"{vector}Length")())


def _operators(
    model: Any,
    graph: Any,
    number: int,
    tensors: Sequence[Tensor],
    codes: Sequence[tuple[str, bool, int]],
    budget: Budget,
) -> Iterator[Operator]:
    """Yield the operators of a graph."""
    constant = {i for i in range(len(tensors)) if _is_constant(model, graph.Tensors(i))}
    for place in _each(graph, "Operators", budget):
        operator = graph.Operators(place)
        outputs = [operator.Outputs(i) for i in _each(operator, "Outputs", budget)]
        used = {*outputs, *map(operator.Inputs, _each(operator, "Inputs", budget))}
        name, custom, version = codes[operator.OpcodeIndex()]
        yield Operator(
            name=name,
            custom=custom,
            dtypes=frozenset(tensors[i].dtype for i in used - constant if i >= 0),
            output=tensors[outputs[0]].name if outputs else "",
            place=None if number else place,
            version=version,
        )


def _code(code: Any, budget: Budget) -> tuple[str, bool, int]:
    """Return the name of an operator, whether it is none of LiteRT's own, and its version."""
    if code.CustomCode():
        return budget.text(code.CustomCode()), True, code.Version()
    # Files of before 2020 have the small field alone.
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    return _names("BuiltinOperator").get(number, f"operator {number}"), False, code.Version()


def _is_constant(model: Any, tensor: Any) -> bool:
    """Return whether a tensor has its values in the file, or behind it in files above 2 GB."""
    buffer = model.Buffers(tensor.Buffer())
    return bool(buffer.DataLength() or buffer.Offset() > 1)


def _tensor(tensor: Any, budget: Budget) -> Tensor:
    length = tensor.ShapeSignatureLength()
    size = tensor.ShapeSignature if length else tensor.Shape
    shape = tuple(int(size(i)) for i in budget.length(length or tensor.ShapeLength()))
    return Tensor(budget.text(tensor.Name()), shape, dtype_of(tensor))


def dtype_of(tensor: Any) -> str:
    """Return the type of a tensor of the schema, as numpy names it."""
    return _names("TensorType")[tensor.Type()].lower()


@cache
def _names(enum: str) -> dict[int, str]:
    """Return the names of the values of an enumeration of the schema."""
    from ai_edge_litert import schema_py_generated as schema

    return {number: name for name, number in vars(getattr(schema, enum)).items() if name.isupper()}
