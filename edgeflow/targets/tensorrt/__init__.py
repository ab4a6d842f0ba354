"""Target kind `tensorrt`: engines for NVIDIA's Jetson boards, built on one."""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from edgeflow.exported import onnx as exported
from edgeflow.exported import ranges
from edgeflow.figures.figure import Figure
from edgeflow.ondevice.engine_tensorrt import BUILT
from edgeflow.targets.base import (
    Capabilities,
    CompiledModel,
    CompileInput,
    HostedOptions,
    Lint,
    Missing,
    Oracle,
    Runtime,
    TargetOptions,
)
from edgeflow.targets.lint import operators_of
from edgeflow.targets.tensorrt import build
from edgeflow.targets.through_onnx import without_form
from edgeflow.toolchain.base import Program, Toolchain

OPSET = 17
REFERENCE = "reference.onnx"
HINT = "look at the log, and run trtexec by hand on the Jetson"
JETSON = "compile on a Jetson with JetPack 5.1 to 7: name it as the target's `compile_host`"


class TensorRTOptions(HostedOptions):
    """TensorRT on a Jetson; the engine is built on a Jetson of the same kind."""

    kind: Literal["tensorrt"]
    workspace_mib: Annotated[int, Field(ge=1, le=65536)] | None = None
    """Memory that kernels may use beside the network's, in MiB; by default all of the board's."""


FIGURES = (
    Figure(
        name="trtexec_latency_median_ms",
        title="median latency by trtexec",
        meaning="median latency of one inference with its copies, by trtexec on the board that "
        "built the engine",
        unit="ms",
        bound="max",
    ),
    Figure(
        name="trtexec_throughput_per_s",
        title="throughput by trtexec",
        meaning="number of inferences in a second, by trtexec on the board that built the engine",
        unit="1/s",
        bound="min",
    ),
)


class TensorRT:
    """Writes the float network as ONNX, and lets trtexec build it on a Jetson."""

    name: ClassVar[str] = "tensorrt"
    capabilities: ClassVar[Capabilities] = Capabilities(
        quantize=frozenset({"none", "fp16", "ptq-int8"}),
        io=frozenset({"int8", "uint8"}),
        calibration=frozenset({"minmax", "percentile"}),
    )
    Options: ClassVar[type[TargetOptions]] = TensorRTOptions
    figures: ClassVar[tuple[Figure, ...]] = FIGURES

    @staticmethod
    def toolchain(options: TensorRTOptions) -> Toolchain:  # noqa: ARG004  # part of the protocol
        """Return the worker with what the Jetson says of board, L4T and TensorRT."""
        board, *files = build.BOARD
        package, *ask = build.PACKAGE
        install = "run `sudo apt-get install libnvinfer-bin` on the Jetson"
        programs = (
            Program(name=board, version=tuple(files), install=JETSON, machine="a Jetson"),
            Program(name=package, version=tuple(ask), install=install),
        )
        return Toolchain(worker=build.__name__, programs=programs, locks=("trtexec",))

    @staticmethod
    def check(options: Any) -> list[Missing]:  # noqa: ARG004  # part of the protocol
        """Nothing is missing beside the toolchain."""
        return []

    @staticmethod
    def lint(model: Path, options: Any) -> list[Lint]:  # noqa: ARG004  # part of the protocol
        """Name operators that have no form in ONNX."""
        return without_form(operators_of(model), OPSET)

    @staticmethod
    def compile(job: CompileInput, options: TensorRTOptions, out: Path) -> CompiledModel:
        """Write model.plan, what it was built on, and the network for the references.

        Raises:
            CompileError: the network has no form in ONNX, or TensorRT cannot build it.
            DeployError: what the Jetson says cannot be believed.
        """
        from edgeflow.remote.answer import parse
        from edgeflow.targets.tensorrt.answer import Answered
        from edgeflow.targets.tensorrt.scales import name_plainly, scales_of

        with tempfile.TemporaryDirectory() as folder:
            network = Path(folder) / build.NETWORK
            exported.export_onnx(job.float_model, network, OPSET)
            name_plainly(network)
            found = _ranges(job, network)
            _write_reference(network, found, out / REFERENCE)
            asked = {
                "flags": FLAGS[job.recipe.quantize],
                "scales": scales_of(found),
                "workspace_mib": options.workspace_mib,
            }
            answer = job.worker.run(asked, {build.NETWORK: network}, out, hint=HINT)
            ends = _ends(network)
        said = parse(Answered, json.dumps(answer), device="the Jetson", program="the worker")
        built = said.built.model_dump()
        (out / BUILT).write_text(json.dumps({**built, **ends}, sort_keys=True))
        latency = said.times_ms.get("latency", {}).get("median")
        told = dict(
            zip([figure.name for figure in FIGURES], (latency, said.throughput_qps), strict=True)
        )
        return CompiledModel(
            model=build.PLAN,
            operators={"gpu": len(said.layers)},
            tolerances=_tolerances(found, ends["outputs"]),
            figures={name: value for name, value in told.items() if value is not None},
            facts=said.model_dump(mode="json", exclude={"throughput_qps"}),
        )

    @staticmethod
    def runtime(options: Any) -> Runtime:  # noqa: ARG004  # part of the protocol
        """Return TensorRT; ONNX Runtime makes the references on the host's CPU."""
        return Runtime(
            engine_module="edgeflow.ondevice.engine_tensorrt",
            engine_options={},
            host_engine_options={},
            tolerance=TOLERANCE,
            tools=exported.TOOLS,
            runs_here=False,
            machines=("aarch64",),
            oracle=Oracle(
                module="edgeflow.ondevice.engine_onnxruntime",
                options={"threads": 1, "provider": "CPUExecutionProvider"},
                tools=ranges.TOOLS,
                model=REFERENCE,
            ),
        )


FLAGS = {"none": ["--noTF32"], "fp16": ["--fp16"], "ptq-int8": ["--int8", "--fp16"]}
"""Of trtexec, by `quantize`. What has no int8 kernel, or a slower one, runs in float16."""
TOLERANCE = 5e-2
"""Difference of a float output: kernels may compute in float16."""
STEPS = 8
"""Steps of an int8 output: TensorRT chooses by speed which layers compute in int8."""


def _ranges(job: CompileInput, network: Path) -> ranges.Ranges:
    if job.recipe.quantize != "ptq-int8":
        return {}
    return ranges.ranges_of(network, job.calibration, job.recipe.calibration)


def _write_reference(network: Path, found: ranges.Ranges, path: Path) -> None:
    """Write the network as ONNX Runtime computes it: in int8 with the very scales of the cache."""
    from edgeflow.exported.quantized import quantize

    if found:
        quantize(network, path, found, symmetric=True)
    else:
        shutil.copyfile(network, path)


def _ends(network: Path) -> dict[str, list[str]]:
    """Return the names of inputs and outputs, in their order."""
    import onnx

    graph = onnx.load(network).graph
    sides = {"inputs": graph.input, "outputs": graph.output}
    return {side: [value.name for value in values] for side, values in sides.items()}


def _tolerances(found: ranges.Ranges, outputs: list[str]) -> tuple[float, ...] | None:
    if not found:
        return None
    ends = (max(-low, high) for low, high in map(found.__getitem__, outputs))
    return tuple(max(TOLERANCE, STEPS * end / 127) for end in ends)
