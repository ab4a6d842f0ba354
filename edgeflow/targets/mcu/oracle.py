"""The arithmetic that generated C must equal: reference kernels of public TensorFlow Lite."""

import importlib.metadata
import math
import struct
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from edgeflow.errors import CompileError

Array = NDArray[Any]

DISTRIBUTIONS = {"tflm": "tflite-micro", "litert-ref": "ai-edge-litert"}
"""By profile, what is installed by this name has the kernels."""


class _Tensor(NamedTuple):
    """An input or output as generated C has it: int8, also where the file converts from float."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float
    zero_point: int
    converted: bool  # the file's own tensor is float32


class _Interpreter(Protocol):
    def run(self, arrays: list[Array]) -> list[Array]:
        """Return the outputs of one inference, from a state without memory of earlier ones."""


class Engine:
    """Runs a .tflite in the reference kernels of a profile.

    Where the file's input or output is float32 and a QUANTIZE or DEQUANTIZE stands at that edge,
    the int8 tensor behind it is taken or given, as by the C. The conversion there and back is
    exact: a step of int8 is much more than the rounding of a float32.
    """

    def __init__(self, folder: str, engine_options: dict[str, Any]) -> None:
        """Load `engine_options["model"]` from `folder` for `engine_options["profile"]`."""
        content = (Path(folder) / engine_options["model"]).read_bytes()
        self._open(content, engine_options["profile"])

    @classmethod
    def from_bytes(cls, model: bytes, profile: str) -> "Engine":
        """Load a model from memory; `profile` is ``tflm`` or ``litert-ref``.

        Raises:
            CompileError: its kernels lack one of the model's operators.
        """
        engine = cls.__new__(cls)
        engine._open(model, profile)
        return engine

    def _open(self, model: bytes, profile: str) -> None:
        from ai_edge_litert import schema_py_generated as schema

        try:
            parsed = schema.ModelT.InitFromPackedBuf(model, 0)
            graph = parsed.subgraphs[0]
            self._inputs, self._outputs = _edges(parsed)
            self._operators = len(graph.operators)
            self._interpreter: _Interpreter = (
                _Micro(model, graph) if profile == "tflm" else _Reference(model)
            )
        except (RuntimeError, ValueError) as error:
            other = next(name for name in DISTRIBUTIONS if name != profile)
            raise CompileError(
                f"the reference kernels of profile {profile} cannot run this network: {error}",
                hint=f"choose `profile: {other}`, or change the operators that are named above",
            ) from error
        except (struct.error, AttributeError, LookupError, TypeError) as error:
            # They read all of the file, also parts that no code is made of.
            raise CompileError(
                f"the reference kernels cannot read this file: {error}", hint="export it again"
            ) from error

    @staticmethod
    def version() -> str:
        """Return the names and versions of the packages that have the kernels."""
        found = {name: importlib.metadata.version(name) for name in DISTRIBUTIONS.values()}
        return ", ".join(f"{name} {version}" for name, version in found.items())

    def io(self) -> dict[str, Any]:
        """Return name, shape, dtype, scale and zero point of inputs and outputs."""
        fields = ("name", "shape", "dtype", "scale", "zero_point")
        return {
            key: [{name: getattr(one, name) for name in fields} | {"shape": list(one.shape)}
                  for one in tensors]
            for key, tensors in (("inputs", self._inputs), ("outputs", self._outputs))
        }  # fmt: skip

    def operators(self) -> int:
        """Return how many operators the file has."""
        return self._operators

    def infer(self, *inputs: Array) -> list[Array]:
        """Run one sample; its arrays are shaped and typed like the inputs, with their batch."""
        arrays = [
            _to_float(array, tensor) if tensor.converted else array
            for array, tensor in zip(inputs, self._inputs, strict=True)
        ]
        return [
            _to_int8(array, tensor) if tensor.converted else array
            for array, tensor in zip(self._interpreter.run(arrays), self._outputs, strict=True)
        ]


class _Micro:
    """TensorFlow Lite Micro."""

    def __init__(self, model: bytes, graph: Any) -> None:
        from tflite_micro import runtime

        sizes = (4 * math.prod(_shape(tensor)) for tensor in graph.tensors)
        arena = 2 * sum(sizes) + 512 * (len(graph.tensors) + len(graph.operators)) + 65_536
        self._runtime = runtime.Interpreter.from_bytes(model, arena_size=arena)
        self._outputs = len(graph.outputs)
        self._remembers = any(tensor.isVariable for tensor in graph.tensors)

    def run(self, arrays: list[Array]) -> list[Array]:
        if self._remembers:
            self._runtime.reset()
        for index, array in enumerate(arrays):
            self._runtime.set_input(array, index)
        self._runtime.invoke()
        return [np.array(self._runtime.get_output(i)) for i in range(self._outputs)]


class _Reference:
    """LiteRT's reference kernels; its default ones round otherwise."""

    def __init__(self, model: bytes) -> None:
        from ai_edge_litert import interpreter

        self._interpreter = interpreter.Interpreter(
            model_content=model,
            experimental_op_resolver_type=interpreter.OpResolverType.BUILTIN_REF,
        )
        self._interpreter.allocate_tensors()
        self._inputs = [one["index"] for one in self._interpreter.get_input_details()]
        self._outputs = [one["index"] for one in self._interpreter.get_output_details()]

    def run(self, arrays: list[Array]) -> list[Array]:
        self._interpreter.reset_all_variables()
        for index, array in zip(self._inputs, arrays, strict=True):
            self._interpreter.set_tensor(index, array)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._outputs]


def _edges(model: Any) -> tuple[list[_Tensor], list[_Tensor]]:
    """Return the inputs and outputs of a `ModelT` as the C has them."""
    from ai_edge_litert import schema_py_generated as schema

    graph = model.subgraphs[0]
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]
    behind, before = {}, {}
    for operator in graph.operators:
        code = codes[operator.opcodeIndex]
        if code == schema.BuiltinOperator.QUANTIZE:
            behind[operator.inputs[0]] = operator.outputs[0]
        elif code == schema.BuiltinOperator.DEQUANTIZE:
            before[operator.outputs[0]] = operator.inputs[0]
    return (
        [_edge(graph.tensors, index, behind) for index in graph.inputs],
        [_edge(graph.tensors, index, before) for index in graph.outputs],
    )


def _edge(tensors: Any, index: int, integers: dict[int, int]) -> _Tensor:
    from ai_edge_litert import schema_py_generated as schema

    converted = tensors[index].type == schema.TensorType.FLOAT32 and index in integers
    tensor = tensors[integers[index] if converted else index]
    dtypes = {schema.TensorType.INT8: "int8", schema.TensorType.UINT8: "uint8"}
    parameters = tensor.quantization
    known = parameters is not None and parameters.scale is not None and len(parameters.scale)
    return _Tensor(
        name=(tensors[index].name or b"").decode(),
        shape=_shape(tensor),
        dtype=dtypes.get(tensor.type, "float32"),
        scale=float(parameters.scale[0]) if known else 0.0,
        zero_point=int(parameters.zeroPoint[0]) if known else 0,
        converted=converted,
    )


def _shape(tensor: Any) -> tuple[int, ...]:
    return () if tensor.shape is None else tuple(int(size) for size in tensor.shape)


def _to_float(array: Array, tensor: _Tensor) -> Array:
    centred = array.astype(np.float32) - np.float32(tensor.zero_point)
    return np.asarray(centred * np.float32(tensor.scale), np.float32)


def _to_int8(array: Array, tensor: _Tensor) -> Array:
    steps = np.rint(array.astype(np.float64) / tensor.scale) + tensor.zero_point
    return np.asarray(steps, np.int8)
