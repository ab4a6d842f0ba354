"""LiteRT (TensorFlow Lite) on a CPU, with or without the XNNPACK delegate."""

import shutil
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from edgeflow.config.tflitefile import Operator, computes_in, is_builtin
from edgeflow.console import native_quiet
from edgeflow.errors import CompileError
from edgeflow.targets.base import (
    Capabilities,
    CompiledModel,
    CompileInput,
    Lint,
    Missing,
    Runtime,
    TargetOptions,
)
from edgeflow.targets.lint import by_name, operators_of


class LiteRTOptions(TargetOptions):
    """LiteRT interpreter on the device's CPU: Raspberry Pi and other Linux boards, x86."""

    kind: Literal["litert"]
    threads: Annotated[int, Field(ge=1, le=64)] = 1
    """Threads of the interpreter."""
    xnnpack: bool = True
    """Run supported operators through XNNPACK; off uses LiteRT's built-in kernels."""


class LiteRT:
    """Ships the recipe's .tflite as it is; the interpreter needs no further compiler."""

    name: ClassVar[str] = "litert"
    capabilities: ClassVar[Capabilities] = Capabilities(
        quantize=frozenset(
            {"none", "fp16", "dynamic", "ptq-int8", "ptq-int16x8", "qat-int8", "hgq"}
        ),
        # Fixed point in float32 is exact in any order of its sums.
        bit_exact=frozenset({"ptq-int8", "ptq-int16x8", "qat-int8", "hgq"}),
        io=frozenset({"int8", "uint8"}),
        calibration=frozenset({"minmax", "percentile", "mse"}),
        keep_float=True,
        quantized_source=frozenset({"fp16", "dynamic", "ptq-int8", "ptq-int16x8"}),
    )
    Options: ClassVar[type[TargetOptions]] = LiteRTOptions

    @staticmethod
    def check(options: Any) -> list[Missing]:  # noqa: ARG004  # part of the protocol
        """Nothing is needed beyond edgeflow's own environment."""
        return []

    @staticmethod
    def lint(model: Path, options: LiteRTOptions) -> list[Lint]:
        """Name operators that the interpreter lacks, floats among integers, and what is slower."""
        operators = operators_of(model)
        known = [one for one in operators if _is_known(one)]
        lacking = [one for one in operators if not _is_known(one)]
        integer = any(one.dtypes & _INTEGERS for one in known)
        islands = [one for one in known if integer and computes_in(one, "float32")]
        return [
            *by_name(lacking, "warning", "the LiteRT interpreter has no such operator"),
            *by_name(islands, "note", "computes in float, in a model with integer operators"),
            *(_outside_xnnpack(known) if options.xnnpack else []),
        ]

    @staticmethod
    def compile(job: CompileInput, options: LiteRTOptions, out: Path) -> CompiledModel:
        """Copy the model and check that the interpreter can allocate all of its tensors.

        Raises:
            CompileError: the interpreter rejects the model.
        """
        from edgeflow.ondevice.engine_litert import Engine

        shutil.copyfile(job.model, out / "model.tflite")
        try:
            with native_quiet():  # what fails is raised
                engine = Engine(str(out), {"model": "model.tflite", **_engine_options(options)})
        except (RuntimeError, ValueError) as error:
            raise CompileError(
                f"LiteRT cannot load {job.model}: {error}",
                hint="the model has an operator this LiteRT version lacks; try another recipe",
            ) from error
        return CompiledModel(model="model.tflite", operators={"cpu": engine.operators()})

    @staticmethod
    def runtime(options: LiteRTOptions) -> Runtime:
        """Return the interpreter with the target's threads and delegate."""
        return Runtime(
            engine_module="edgeflow.ondevice.engine_litert",
            engine_options=_engine_options(options),
            host_engine_options=_engine_options(options),
            tolerance=1e-3,
            tools=("ai-edge-litert",),
        )


def _engine_options(options: LiteRTOptions) -> dict[str, Any]:
    return {"threads": options.threads, "xnnpack": options.xnnpack}


def _is_known(operator: Operator) -> bool:
    return operator.name in _CUSTOM if operator.custom else is_builtin(operator.name)


def _outside_xnnpack(operators: list[Operator]) -> list[Lint]:
    wide = [one for one in operators if "int16" in one.dtypes]
    others = [one for one in operators if "int16" not in one.dtypes and one.name not in _XNNPACK]
    return [
        *by_name(wide, "note", f"XNNPACK takes no int16, {_INSTEAD}"),
        *by_name(others, "note", f"XNNPACK does not take this operator, {_INSTEAD}"),
    ]


_INTEGERS = frozenset({"int8", "uint8", "int16"})
_INSTEAD = "so LiteRT's built-in kernel runs it"

_CUSTOM = frozenset({"AudioSpectrogram", "Mfcc", "NumericVerify", "TFLite_Detection_PostProcess"})
"""Operators beyond the schema's that the interpreter has: `BuiltinOpResolver` in
tensorflow/lite/core/kernels/register.cc."""

_XNNPACK_NAMES = """
ABS ADD ASSIGN_VARIABLE AVERAGE_POOL_2D BATCH_MATMUL CEIL CONCATENATION CONV_2D COS
DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE DIV ELU EXP EXPAND_DIMS FLOOR FULLY_CONNECTED GELU
HARD_SWISH LEAKY_RELU LOG LOGISTIC MAXIMUM MAX_POOL_2D MEAN MINIMUM MUL NEG PAD PRELU QUANTIZE
READ_VARIABLE REDUCE_MAX REDUCE_MIN RELU RELU6 RELU_N1_TO_1 RESHAPE RESIZE_BILINEAR ROUND RSQRT SIN
SLICE SOFTMAX SPACE_TO_DEPTH SPLIT SQRT SQUARE SQUARED_DIFFERENCE STABLEHLO_COMPOSITE STRIDED_SLICE
SUB SUM TANH TRANSPOSE TRANSPOSE_CONV VAR_HANDLE
"""
_XNNPACK = frozenset(_XNNPACK_NAMES.split())
"""Operators that the delegate may take, by their types and sizes: `VisitNode` in
tensorflow/lite/delegates/xnnpack/xnnpack_delegate.cc."""
