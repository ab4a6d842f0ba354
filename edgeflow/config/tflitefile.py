"""What a .tflite says of itself, read without an interpreter: no code runs on its bytes."""

import struct
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from edgeflow.config.fileidentity import Identity, identity


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


class Tflite(NamedTuple):
    """The main graph of a .tflite.

    Attributes:
        tensors: all of them.
        inputs: their places in `tensors`.
        outputs: their places in `tensors`.
        custom: names of the operators that are none of LiteRT's own, sorted.
    """

    tensors: tuple[Tensor, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    custom: tuple[str, ...]


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
        )
    except (struct.error, AttributeError, IndexError, TypeError, ValueError):
        return None  # cut off, or damaged


def _tensor(tensor: Any) -> Tensor:
    length = tensor.ShapeSignatureLength()
    size = tensor.ShapeSignature if length else tensor.Shape
    shape = tuple(int(size(i)) for i in range(length or tensor.ShapeLength()))
    return Tensor((tensor.Name() or b"").decode(), shape, _names()[tensor.Type()])


@cache
def _names() -> dict[int, str]:
    from ai_edge_litert import schema_py_generated as schema

    return {
        number: name.lower() for name, number in vars(schema.TensorType).items() if name.isupper()
    }
