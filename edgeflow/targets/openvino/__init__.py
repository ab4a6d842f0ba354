"""OpenVINO: IR in float32 or float16; int8 through NNCF, or from the recipe's own int8 model."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, JsonValue, model_validator

from edgeflow.artifact.cpu import HELD_OPENVINO, hold_kernels
from edgeflow.config.base import Section
from edgeflow.config.recipe import Recipe
from edgeflow.errors import CompileError
from edgeflow.figures.figure import Figure
from edgeflow.figures.throughput import THROUGHPUT
from edgeflow.ondevice.engine_openvino import QUANTIZATION
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
from edgeflow.targets.openvino.operators import CONVERTED
from edgeflow.targets.openvino.weights import fix_overflow


class AccuracyControl(Section):
    """What `ptq-int8` may cost by the metric of the dataset's task, on its validation set."""

    max_drop: Annotated[float, Field(ge=0)] = 0.01
    """How much worse than the float network's the metric may get, in its own unit: 0.01 is a point
    of accuracy. Layers go back to float, one after the other, until it holds."""
    max_layers: Annotated[int, Field(ge=1)] | None = None
    """Most layers, or groups that share a quantizer, that may go back; by default all."""
    ranking_samples: Annotated[int, Field(ge=1)] = 300
    """Samples by which layers are ranked: those whose rounding changes outputs most go first."""


class OpenVINOOptions(TargetOptions):
    """OpenVINO runtime on an Intel (or Arm) CPU, an Intel GPU or NPU."""

    kind: Literal["openvino"]
    device: Literal["CPU", "GPU", "NPU", "AUTO"] = "CPU"
    """Plug-in that runs the model on the device. AUTO takes the fastest that is there."""
    threads: Annotated[int, Field(ge=1, le=64)] = 1
    """Inference threads of the CPU plug-in, over all streams; for `device: CPU` and AUTO alone."""
    performance_hint: Literal["latency", "throughput"] = "latency"
    """What the plug-in is set up for: one inference at a time, or several. With `throughput` the
    figure of that name is measured; latency stays that of one inference alone."""
    streams: Annotated[int, Field(ge=1, le=64)] | None = None
    """Inferences that run at a time with `throughput`; by default what the plug-in chooses. The CPU
    needs as many `threads`; NPU and AUTO always choose by themselves."""
    overflow_fix: bool = True
    """Keep int8 weights so small that no x86-64 CPU overflows. Turn it off where all devices have
    VNNI (or are no x86-64 CPUs): weights then keep all of their 8 bits."""

    model_cache: bool = False
    """Keep the compiled model on the device, so that all loads but the first are short."""
    accuracy_control: AccuracyControl | None = None
    """Let `ptq-int8` keep the metric, at the price of layers in float; the other recipes are as
    without it."""

    @model_validator(mode="after")
    def _cache_fits(self) -> Self:
        if self.model_cache and self.device == "AUTO":
            raise ValueError(
                "`device: AUTO` cannot export its model: name the device, or leave out "
                "`model_cache`"
            )
        return self

    @model_validator(mode="after")
    def _threads_fit(self) -> Self:
        if self.threads > 1 and self.device in {"GPU", "NPU"}:
            raise ValueError(
                f"`threads` are the CPU's, and `device: {self.device}` takes none: leave them out"
            )
        return self

    @model_validator(mode="after")
    def _streams_fit(self) -> Self:
        if self.streams is None:
            return self
        if self.performance_hint != "throughput":
            raise ValueError("`streams` are for `performance_hint: throughput`: set that too")
        if self.device in {"NPU", "AUTO"}:
            raise ValueError(f"`streams` cannot be set for `device: {self.device}`: leave it out")
        if self.device == "CPU" and self.streams > self.threads:
            streams = self.streams
            raise ValueError(f"{streams} streams need as many threads: set `threads: {streams}`")
        return self


class OpenVINO:
    """Converts the recipe's network to IR.

    `ptq-int8` is quantized by NNCF, in OpenVINO's form. What NNCF cannot make again, a network
    that was trained with rounding or one with chosen layers in float, comes from model.tflite.
    """

    name: ClassVar[str] = "openvino"
    capabilities: ClassVar[Capabilities] = Capabilities(
        quantize=frozenset({"none", "fp16", "ptq-int8", "qat-int8"}),
        io=frozenset({"int8", "uint8"}),
        calibration=frozenset({"minmax", "percentile"}),
        keep_float=True,
    )
    Options: ClassVar[type[TargetOptions]] = OpenVINOOptions
    figures: ClassVar[tuple[Figure, ...]] = (THROUGHPUT,)

    @staticmethod
    def check(options: Any) -> list[Missing]:  # noqa: ARG004  # part of the protocol
        """Nothing is needed beyond edgeflow's own environment; GPU and NPU only on the device."""
        return []

    @staticmethod
    def needs_validation(options: OpenVINOOptions) -> bool:
        """Return whether `ptq-int8` is to keep a metric."""
        return options.accuracy_control is not None

    @staticmethod
    def lint(model: Path, options: Any) -> list[Lint]:  # noqa: ARG004  # part of the protocol
        """Name operators of which no part of OpenVINO can be made."""
        unknown = [one for one in operators_of(model) if one.custom or one.name not in CONVERTED]
        return by_name(unknown, "warning", "OpenVINO cannot convert this operator from a .tflite")

    @staticmethod
    def compile(job: CompileInput, options: OpenVINOOptions, out: Path) -> CompiledModel:
        """Write model.xml and model.bin, and quantization.json where input and output are integers.

        Raises:
            CompileError: OpenVINO cannot read or quantize the model.
        """
        if options.overflow_fix:
            # Without it the reference needs VNNI, where this machine has it.
            hold_kernels(HELD_OPENVINO)
        import openvino

        from edgeflow.targets.openvino.quantize import quantize

        ready = _is_ready(job.recipe)
        source = job.model if ready else job.float_model
        tolerances, controlled = None, None
        facts: dict[str, JsonValue] = {}
        try:
            model = openvino.Core().read_model(source)
            if ready:
                tolerances = _write_quantization(job.model, out)
                if options.overflow_fix:
                    facts["rescaled_channels"] = fix_overflow(model)
            elif job.recipe.quantize == "ptq-int8":
                model, controlled = quantize(model, job, options)
            _name_nodes(model)
            if controlled:
                facts["accuracy_control"] = controlled.facts()
            openvino.save_model(
                model, out / "model.xml", compress_to_fp16=job.recipe.quantize == "fp16"
            )
        except (RuntimeError, ValueError) as error:
            raise CompileError(
                f"OpenVINO cannot convert {source}: {error}",
                hint="check the operators of the architecture against OpenVINO's list",
            ) from error
        return CompiledModel(
            model="model.xml",
            # A plug-in takes all operators or refuses the model.
            operators={options.device.lower(): _operators(model)},
            tolerances=tolerances,
            facts=facts,
        )

    @staticmethod
    def runtime(options: OpenVINOOptions) -> Runtime:
        """Return the OpenVINO runtime on the target's plug-in; on the host it is the CPU's."""
        streams = options.performance_hint == "throughput"
        host: dict[str, Any] = {"device": "CPU", "threads": options.threads}
        return Runtime(
            engine_module="edgeflow.ondevice.engine_openvino",
            engine_options={
                **host,
                "device": options.device,
                "performance_hint": options.performance_hint,
                "streams": options.streams,
                "model_cache": options.model_cache,
            },
            host_engine_options={
                **host,
                "performance_hint": "latency",
                "streams": None,
                "model_cache": False,
            },
            figures=None if streams else _names(OpenVINO.figures) - {THROUGHPUT.name},
            tolerance=TOLERANCE,
            tools=("openvino", "nncf"),
        )


def _names(figures: Iterable[Figure]) -> frozenset[str]:
    return frozenset(figure.name for figure in figures)


def _operators(model: Any) -> int:
    """Count what runs: what follows from constants alone is computed once, at loading."""
    live: set[str] = set()
    for node in model.get_ordered_ops():
        sources = (port.get_source_output().get_node() for port in node.inputs())
        if node.get_type_name() == "Parameter" or any(
            source.get_friendly_name() in live for source in sources
        ):
            live.add(node.get_friendly_name())
    return len(live) - len(model.get_parameters()) - len(model.get_results())


TOLERANCE = 2e-2
"""Difference of a float output that two kinds of CPU may show."""

STEPS = 3
"""Steps of an integer output by which two kinds of CPU may differ: OpenVINO adds in float what
LiteRT adds in integers, so a value in the middle of two steps may fall to either side. Without
overflow, AVX-512, AVX2 and SSE4.1 differed by two at most (MobileNetV2), and mostly not at all."""


def _is_ready(recipe: Recipe) -> bool:
    """Return whether model.tflite holds what NNCF cannot make from float.tflite."""
    return recipe.quantize == "qat-int8" or recipe.keep_float is not None


def _write_quantization(model: Path, out: Path) -> tuple[float, ...]:
    """Write scale and zero point of each input and output; return the tolerances that follow."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(model))
    ends = {
        "inputs": interpreter.get_input_details(),
        "outputs": interpreter.get_output_details(),
    }
    record = {side: [_scale(*end["quantization"]) for end in found] for side, found in ends.items()}
    (out / QUANTIZATION).write_text(json.dumps(record, sort_keys=True))
    # An output that stayed in float has no steps.
    return tuple(STEPS * end["scale"] or TOLERANCE for end in record["outputs"])


def _scale(scale: float, zero_point: int) -> dict[str, Any]:
    return {"scale": float(scale), "zero_point": int(zero_point)}


def _name_nodes(model: Any) -> None:
    """Name nodes by their place: automatic names count up over a process' life."""
    for index, node in enumerate(model.get_ordered_ops()):
        node.set_friendly_name(f"{node.get_type_name()}_{index}")
