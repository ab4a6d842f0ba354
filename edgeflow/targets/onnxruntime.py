"""ONNX Runtime: float32, or int8 as QDQ, on the CPU of any board or another execution provider."""

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from edgeflow.errors import CompileError
from edgeflow.exported import onnx as exported
from edgeflow.exported import ranges
from edgeflow.ondevice.engine_onnxruntime import CPU, OPERATORS, Engine
from edgeflow.targets.base import (
    Capabilities,
    CompiledModel,
    CompileInput,
    Lint,
    Missing,
    Runtime,
    TargetOptions,
)
from edgeflow.targets.lint import operators_of
from edgeflow.targets.through_onnx import without_form

OPSET = 17
MODEL = "model.onnx"


class ONNXRuntimeOptions(TargetOptions):
    """ONNX Runtime on a CPU, or on what else its execution providers drive."""

    kind: Literal["onnxruntime"]
    provider: Literal[
        "CPUExecutionProvider",
        "CANNExecutionProvider",
        "CUDAExecutionProvider",
        "DnnlExecutionProvider",
        "MIGraphXExecutionProvider",
        "NnapiExecutionProvider",
        "OpenVINOExecutionProvider",
        "QNNExecutionProvider",
        "RknpuExecutionProvider",
        "TensorrtExecutionProvider",
        "VSINPUExecutionProvider",
        "VitisAIExecutionProvider",
        "WebGpuExecutionProvider",
        "XnnpackExecutionProvider",
    ] = "CPUExecutionProvider"
    """Execution provider that runs the model on the device; a device without it is an error."""
    threads: Annotated[int, Field(ge=1, le=64)] = 1
    """Threads that share one operator, on the CPU."""
    overflow_fix: bool = True
    """Keep int8 weights so small that no x86-64 CPU overflows. Turn it off where all devices have
    VNNI (or are no x86-64 CPUs): weights then keep all of their 8 bits."""


class ONNXRuntime:
    """Writes the float network as ONNX, and quantizes it in onnxruntime's own form."""

    name: ClassVar[str] = "onnxruntime"
    capabilities: ClassVar[Capabilities] = Capabilities(
        quantize=frozenset({"none", "ptq-int8"}),
        io=frozenset({"int8", "uint8"}),
        calibration=frozenset({"minmax", "percentile"}),
    )
    Options: ClassVar[type[TargetOptions]] = ONNXRuntimeOptions

    @staticmethod
    def check(options: Any) -> list[Missing]:  # noqa: ARG004  # part of the protocol
        """Nothing is needed beyond edgeflow's own environment; providers only on the device."""
        return []

    @staticmethod
    def lint(model: Path, options: Any) -> list[Lint]:  # noqa: ARG004  # part of the protocol
        """Name operators that have no form in ONNX."""
        return without_form(operators_of(model), OPSET)

    @staticmethod
    def compile(job: CompileInput, options: ONNXRuntimeOptions, out: Path) -> CompiledModel:
        """Write model.onnx.

        Raises:
            CompileError: the network has no form in ONNX, or onnxruntime cannot quantize it.
        """
        import onnx

        from edgeflow.exported.quantized import quantize

        path = out / MODEL
        exported.export_onnx(job.float_model, path, OPSET)
        _require_runs(out, options)
        count = len(onnx.load(path).graph.node)
        tolerances = None
        if job.recipe.quantize == "ptq-int8":
            found = ranges.ranges_of(path, job.calibration, job.recipe.calibration)
            ends = [value.name for value in onnx.load(path).graph.output]
            tolerances = tuple(_tolerance(found[name], options) for name in ends)
            quantize(path, path, found, reduce_range=options.overflow_fix)
        _finish(path, count)
        _require_runs(out, options)
        return CompiledModel(model=MODEL, operators={"cpu": count}, tolerances=tolerances)

    @staticmethod
    def runtime(options: ONNXRuntimeOptions) -> Runtime:
        """Return ONNX Runtime on the target's provider, and on the CPU for the references."""
        threads = {"threads": options.threads}
        return Runtime(
            engine_module="edgeflow.ondevice.engine_onnxruntime",
            engine_options={**threads, "provider": options.provider},
            host_engine_options={**threads, "provider": CPU},
            tolerance=_float_tolerance(options),
            tools=tuple(sorted({*exported.TOOLS, *ranges.TOOLS})),
        )


STEPS = 3
"""Steps of an int8 output by which two kinds of CPU may differ."""


def _float_tolerance(options: ONNXRuntimeOptions) -> float:
    """Return the difference that a float output may show: accelerators may compute in float16."""
    return 1e-3 if options.provider == CPU else 2e-2


def _tolerance(end: tuple[float, float], options: ONNXRuntimeOptions) -> float:
    low, high = end
    return max(_float_tolerance(options), STEPS * (high - low) / 255)


def _require_runs(folder: Path, options: ONNXRuntimeOptions) -> None:
    """Raise CompileError unless onnxruntime can open the model."""
    host = ONNXRuntime.runtime(options).host_engine_options
    try:
        Engine(str(folder), {"model": MODEL, **host})
    except Exception as error:  # its own have no base of theirs
        raise CompileError(
            f"onnxruntime cannot run the network: {error}",
            hint="it has no kernel for an operator: use another, or another target",
        ) from error


def _finish(path: Path, operators: int) -> None:
    """Write into a model what its runtime does not tell."""
    import onnx

    model = onnx.load(path)
    onnx.helper.set_model_props(model, {OPERATORS: str(operators)})
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
