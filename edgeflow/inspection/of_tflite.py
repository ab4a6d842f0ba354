"""Inspects .tflite files by their schema alone."""

import struct
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from edgeflow.config.modelfile import quantization
from edgeflow.config.tflitefile import CONVERSIONS, Operator, read_tflite
from edgeflow.errors import CompileError
from edgeflow.inspection.facts import ModelFacts, Shape, Tensor, Work, product, tallied

BIAS = {"CONV_2D": 2, "DEPTHWISE_CONV_2D": 2, "FULLY_CONNECTED": 2, "TRANSPOSE_CONV": 3}
"""Place of the bias, whose integers count as parameters; those of other operators are sizes."""
_INTEGERS = frozenset({"int8", "uint8", "int16"})

Shapes = Sequence[Shape]
MACS: dict[str, Callable[[Shapes, Shape], int]] = {
    # weights: (out, height, width, in), (1, height, width, out), (out, in)
    "CONV_2D": lambda ins, out: product(out) * product(ins[1][1:]),
    "DEPTHWISE_CONV_2D": lambda ins, out: product(out) * product(ins[1][1:3]),
    "FULLY_CONNECTED": lambda ins, out: product(out) * ins[1][-1],
    # of its inputs the first is the output's shape; weights (out, height, width, in)
    "TRANSPOSE_CONV": lambda ins, _: product(ins[2]) * product(ins[1][:3]),
    "CONV_3D": lambda ins, out: product(out) * product(ins[1][:4]),
    "BATCH_MATMUL": lambda ins, out: product(ins[0]) * product(out[-1:]),
    # (batch, time, in), then up to eight matrices
    "UNIDIRECTIONAL_SEQUENCE_LSTM": lambda ins, _: (
        product(ins[0][:2]) * sum(product(one) for one in ins[1:9] if len(one) == 2)
    ),
}
"""Of one operator, by the shapes of its inputs and of its output."""


def inspect_tflite(path: Path) -> ModelFacts:
    """Return what is in a .tflite.

    Raises:
        CompileError: it is none, or damaged.
    """
    from ai_edge_litert import schema_py_generated as schema

    read = read_tflite(path)
    if read is None:
        raise CompileError(f"{path} is no .tflite, or damaged", hint="export it again")
    try:
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes(), 0))
        file = _File(model, read.operators)
        works = list(file.works())
        return ModelFacts(
            format="tflite",
            size_bytes=path.stat().st_size,
            parameters=file.parameters(),
            quantize=quantization(path).get("quantize", "none"),
            inputs=tuple(file.ends(model.subgraphs[0].inputs)),
            outputs=tuple(file.ends(model.subgraphs[0].outputs)),
            in_float=_in_float(read.operators),
            notes=tuple(_notes(model)),
            **tallied(works),
        )
    except (struct.error, AttributeError, LookupError, TypeError, ValueError) as error:
        raise CompileError(f"{path} is damaged: {error}", hint="export it again") from error


def _in_float(operators: Sequence[Operator]) -> dict[str, int]:
    integer = any(one.dtypes & _INTEGERS for one in operators)
    float_ones = [
        one.name for one in operators if "float32" in one.dtypes and one.name not in CONVERSIONS
    ]
    return {name: float_ones.count(name) for name in dict.fromkeys(float_ones)} if integer else {}


def _notes(model: Any) -> Iterator[str]:
    if len(model.subgraphs) > 1:
        yield "the operators of loops and branches are counted once"


class _File:
    """A .tflite, unpacked."""

    def __init__(self, model: Any, operators: Sequence[Operator]) -> None:
        self._model = model
        self._names = iter(operators)

    def ends(self, places: Sequence[int]) -> Iterator[Tensor]:
        """Yield the tensors of the main graph at some places."""
        for place in places:
            tensor = self._model.subgraphs[0].tensors[place]
            scales = _list(tensor.quantization and tensor.quantization.scale)
            zeros = _list(tensor.quantization and tensor.quantization.zeroPoint)
            yield Tensor(
                name=tensor.name.decode(),
                shape=_shape(tensor),
                dtype=_dtype(tensor),
                scale=float(scales[0]) if scales else 0.0,
                zero_point=int(zeros[0]) if zeros else 0,
            )

    def works(self) -> Iterator[Work]:
        """Yield what the operators of all graphs do, in the order of `read_tflite`."""
        for graph in self._model.subgraphs:
            for operator in graph.operators:
                name = next(self._names).name
                ins = [_at(graph, place) for place in _list(operator.inputs)]
                shapes = [_shape(one) if one is not None else () for one in ins]
                out = _shape(graph.tensors[operator.outputs[0]]) if len(operator.outputs) else ()
                count = MACS.get(name)
                yield Work(
                    kind=name,
                    macs=count(shapes, out) if count else None,
                    weights=self._weights(ins) if count else None,
                )

    def _weights(self, ins: Sequence[Any]) -> str | None:
        constants = [one for one in ins if one is not None and self._is_constant(one)]
        factors = [one for one in constants if len(_shape(one)) > 1]
        if not factors:
            return None
        dtype, scales = _dtype(factors[0]), _list(_scale(factors[0]))
        if not scales:
            return dtype
        return f"{dtype} per channel" if len(scales) > 1 else f"{dtype} per tensor"

    def parameters(self) -> int:
        """Return the number of constants that are factors or added, each buffer once."""
        names, found = self._codes(), dict[int, int]()
        for graph in self._model.subgraphs:
            for operator in graph.operators:
                bias = BIAS.get(names[operator.opcodeIndex])
                for place, index in enumerate(_list(operator.inputs)):
                    tensor = _at(graph, index)
                    if tensor is None or not self._is_constant(tensor):
                        continue
                    sizes = _dtype(tensor) in ("int32", "int64", "bool") and place != bias
                    if not sizes:
                        found[tensor.buffer] = product(_shape(tensor))
        return sum(found.values())

    def _codes(self) -> dict[int, str]:
        from ai_edge_litert import schema_py_generated as schema

        by_number = {number: name for name, number in vars(schema.BuiltinOperator).items()}
        codes = enumerate(self._model.operatorCodes)
        return {
            place: by_number.get(max(code.builtinCode, code.deprecatedBuiltinCode), "")
            for place, code in codes
        }

    def _is_constant(self, tensor: Any) -> bool:
        buffer = self._model.buffers[tensor.buffer]
        return bool((buffer.data is not None and len(buffer.data)) or (buffer.offset or 0) > 1)


def _at(graph: Any, place: int) -> Any:
    return graph.tensors[place] if place >= 0 else None


def _scale(tensor: Any) -> Any:
    return tensor.quantization.scale if tensor.quantization else None


def _list(values: Any) -> list[Any]:
    return [] if values is None else list(values)


def _shape(tensor: Any) -> Shape:
    signature = _list(tensor.shapeSignature)
    return tuple(int(size) for size in signature or _list(tensor.shape))


def _dtype(tensor: Any) -> str:
    return _types().get(tensor.type, f"type {tensor.type}")


@cache
def _types() -> dict[int, str]:
    from ai_edge_litert import schema_py_generated as schema

    return {code: name.lower() for name, code in vars(schema.TensorType).items() if name.isupper()}
