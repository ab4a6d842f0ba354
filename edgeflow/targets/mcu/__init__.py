"""Target kind `mcu`: integer-only C and firmware for microcontrollers."""

from pathlib import Path
from typing import Any, ClassVar

from edgeflow.errors import MissingToolError
from edgeflow.figures.figure import Figure
from edgeflow.targets.base import (
    Capabilities,
    CompiledModel,
    CompileInput,
    Missing,
    Oracle,
    Runtime,
    TargetOptions,
)
from edgeflow.targets.mcu.figures import FIGURES
from edgeflow.targets.mcu.options import McuOptions


class Mcu:
    """Writes a network as C, and compiles it into the firmware of a board."""

    name: ClassVar[str] = "mcu"
    capabilities: ClassVar[Capabilities] = Capabilities(
        quantize=frozenset({"ptq-int8", "qat-int8"}),
        bit_exact=frozenset({"ptq-int8", "qat-int8"}),
        calibration=frozenset({"minmax", "percentile", "mse"}),
        quantized_source=frozenset({"ptq-int8"}),
        unit=frozenset({"probe", "port"}),
    )
    Options: ClassVar[type[TargetOptions]] = McuOptions
    figures: ClassVar[tuple[Figure, ...]] = FIGURES

    @staticmethod
    def check(options: Any) -> list[Missing]:  # noqa: ARG004  # part of the protocol
        """Name what compiles and runs firmware."""
        return [Missing(what="firmware", install="wait for a version that builds it")]

    @staticmethod
    def compile(
        job: CompileInput,  # noqa: ARG004
        options: McuOptions,  # noqa: ARG004
        out: Path,  # noqa: ARG004
    ) -> CompiledModel:
        """Nothing yet.

        Raises:
            MissingToolError: always.
        """
        raise MissingToolError("this version builds no firmware")

    @staticmethod
    def needs(model: Path) -> str:
        """Return the memory that an int8 .tflite takes at least, or why it cannot be compiled."""
        from edgeflow.targets.mcu.needs import needs

        return needs(model)

    @staticmethod
    def runtime(options: McuOptions) -> Runtime:
        """Return the engine, and the reference kernels that the code equals."""
        distribution = {"tflm": "tflite-micro", "litert-ref": "ai-edge-litert"}[options.profile]
        return Runtime(
            engine_module="edgeflow.ondevice.engine_litert",
            engine_options={},
            host_engine_options={},
            tolerance=0.0,
            tools=(),
            clock="none",
            oracle=Oracle(
                module="edgeflow.targets.mcu.oracle",
                options={"profile": options.profile},
                tools=(distribution,),
            ),
        )
