"""LiteRT (TensorFlow Lite) on a CPU, with or without the XNNPACK delegate."""

import shutil
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from edgeflow.errors import CompileError
from edgeflow.targets.base import (
    Capabilities,
    CompiledModel,
    CompileInput,
    Missing,
    Runtime,
    TargetOptions,
)


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
        quantize=frozenset({"none", "fp16", "dynamic", "ptq-int8", "ptq-int16x8", "qat-int8"}),
        bit_exact=frozenset({"ptq-int8", "ptq-int16x8", "qat-int8"}),
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
    def compile(job: CompileInput, options: LiteRTOptions, out: Path) -> CompiledModel:
        """Copy the model and check that the interpreter can allocate all of its tensors.

        Raises:
            CompileError: the interpreter rejects the model.
        """
        from edgeflow.ondevice.engine_litert import Engine

        shutil.copyfile(job.model, out / "model.tflite")
        try:
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
