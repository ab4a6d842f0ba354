"""What a .tflite says of itself, read without an interpreter: no code runs on its bytes."""

import struct
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from edgeflow.config.fileidentity import Identity, identity

CONVERSIONS = frozenset({"QUANTIZE", "DEQUANTIZE"})
"""Operators that change the type of a tensor, and compute nothing."""


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


def read_tflite(path: Path) -> Tflite | None:
    """Return what a file holds, or None if that is no .tflite."""
    try:
        return _read(identity(path))
    except OSError:
        return None


@cache
def _read(file: Identity) -> Tflite | None:
    from ai_edge_litert import schema_py_generated as schema

    content = file.path.read_bytes()
    if content[4:8] != b"TFL3":
        return None
    try:
        model = schema.Model.GetRootAs(content, 0)
        graph = model.Subgraphs(0)
        codes = (model.OperatorCodes(i).CustomCode() for i in range(model.OperatorCodesLength()))
        return Tflite(
            tensors=tuple(_tensor(graph.Tensors(i)) for i in range(graph.TensorsLength())),
            inputs=tuple(graph.Inputs(i) for i in range(graph.InputsLength())),
            outputs=tuple(graph.Outputs(i) for i in range(graph.OutputsLength())),
            custom=tuple(sorted({code.decode() for code in codes if code})),
            operators=tuple(_operators(model)),
        )
    except (struct.error, AttributeError, LookupError, TypeError, ValueError):
        return None  # cut off, or damaged


def _operators(model: Any) -> Iterator[Operator]:
    """Yield the operators of all graphs."""
    codes = [_code(model.OperatorCodes(i)) for i in range(model.OperatorCodesLength())]
    for number, graph in enumerate(map(model.Subgraphs, range(model.SubgraphsLength()))):
        tensors = [_tensor(graph.Tensors(i)) for i in range(graph.TensorsLength())]
        constant = {i for i in range(len(tensors)) if _is_constant(model, graph.Tensors(i))}
        for place, operator in enumerate(map(graph.Operators, range(graph.OperatorsLength()))):
            outputs = [operator.Outputs(i) for i in range(operator.OutputsLength())]
            used = {*outputs, *map(operator.Inputs, range(operator.InputsLength()))}
            name, custom, version = codes[operator.OpcodeIndex()]
            yield Operator(
                name=name,
                custom=custom,
                dtypes=frozenset(tensors[i].dtype for i in used - constant if i >= 0),
                output=tensors[outputs[0]].name if outputs else "",
                place=None if number else place,
                version=version,
            )


def _code(code: Any) -> tuple[str, bool, int]:
    """Return name and version of an operator, and whether it is none of LiteRT's own."""
    if code.CustomCode():
        return code.CustomCode().decode(), True, code.Version()
    # Files of before 2020 have the small field alone.
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    return _names("BuiltinOperator").get(number, f"operator {number}"), False, code.Version()


def _is_constant(model: Any, tensor: Any) -> bool:
    """Return whether a tensor has its values in the file, or behind it in files above 2 GB."""
    buffer = model.Buffers(tensor.Buffer())
    return bool(buffer.DataLength() or buffer.Offset() > 1)


def _tensor(tensor: Any) -> Tensor:
    length = tensor.ShapeSignatureLength()
    size = tensor.ShapeSignature if length else tensor.Shape
    shape = tuple(int(size(i)) for i in range(length or tensor.ShapeLength()))
    dtype = _names("TensorType")[tensor.Type()].lower()
    return Tensor((tensor.Name() or b"").decode(), shape, dtype)


@cache
def _names(enum: str) -> dict[int, str]:
    """Return the names of the values of an enumeration of the schema."""
    from ai_edge_litert import schema_py_generated as schema

    return {number: name for name, number in vars(getattr(schema, enum)).items() if name.isupper()}
