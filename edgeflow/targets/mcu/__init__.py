"""Target kind `mcu`: integer-only C and firmware for microcontrollers."""

from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

from edgeflow.figures.figure import Figure
from edgeflow.targets.base import (
    Capabilities,
    CompiledModel,
    CompileInput,
    Fit,
    Lint,
    Missing,
    Oracle,
    Runtime,
    TargetOptions,
)
from edgeflow.targets.mcu.figures import FIGURES, OF_EACH_BOARD, figures_of
from edgeflow.targets.mcu.options import McuOptions
from edgeflow.targets.worker import Worker
from edgeflow.toolchain.base import Program, Toolchain


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
    def toolchain(options: McuOptions) -> Toolchain:
        """Return the cross compiler of the board's core."""
        family = options.hardware.family
        programs = tuple(
            Program(name=f"{family.compiler}{tool}", install=f"run `{family.install}`")
            for tool in ("gcc", "objdump")
        )
        return Toolchain(worker="edgeflow.targets.mcu.build", programs=programs)

    @staticmethod
    def check(options: McuOptions) -> list[Missing]:
        """Name the packages that are not installed: reference kernels, sources of CMSIS-NN."""
        needed = [_ORACLES[options.profile], *([_CMSIS] if options.kernels == "cmsis-nn" else [])]
        return [missing for module, missing in needed if find_spec(module) is None]

    @staticmethod
    def lint(model: Path, options: McuOptions) -> list[Lint]:
        """Name operators, or forms of them, that no kernel takes, and what to use instead."""
        from edgeflow.targets.mcu.findings import findings

        return findings(model, options)

    @staticmethod
    def fit(model: Path, options: McuOptions, worker: Worker | None) -> Fit:
        """Return what a network takes of the board.

        Raises:
            CompileError: no kernel takes an operator, or the file is damaged.
        """
        from edgeflow.targets.mcu.fitting import fit

        return fit(model, options, worker)

    @staticmethod
    def compile(job: CompileInput, options: McuOptions, out: Path) -> CompiledModel:
        """Write the firmware, its C sources, and what the engine has to know of them.

        Raises:
            CompileError: no kernel takes an operator, or the firmware does not fit the board.
            MissingToolError: the compiler is not installed.
        """
        from edgeflow.targets.mcu.compilation import compile_for

        return compile_for(job, options, out)

    @staticmethod
    def needs(model: Path) -> str:
        """Return the memory that an int8 .tflite takes at least, or why it cannot be compiled."""
        from edgeflow.targets.mcu.needs import needs

        return needs(model)

    @staticmethod
    def runtime(options: McuOptions) -> Runtime:
        """Return the engine, and the reference kernels that the code equals."""
        _, oracle = _ORACLES[options.profile]
        engine_options = {"emulated": options.emulated_samples}
        return Runtime(
            engine_module="edgeflow.ondevice.engine_mcu",
            engine_options=engine_options,
            host_engine_options=engine_options,
            tolerance=0.0,
            tools=("jinja2", *(["bakenn"] if options.kernels == "cmsis-nn" else [])),
            clock="none",
            figures=figures_of(options.hardware),
            unit_figures=OF_EACH_BOARD,
            needs_unit=options.hardware.emulator is None,
            unit=frozenset({"port" if options.hardware.core == "avr" else "probe"}),
            oracle=Oracle(
                module="edgeflow.targets.mcu.oracle",
                options={"profile": options.profile},
                tools=(oracle.what,),
            ),
        )


_ORACLES = {
    "tflm": (
        "tflite_micro",
        Missing(
            what="tflite-micro",
            install="compile on Linux on x86-64, the one platform that it is published for, or set "
            "`profile: litert-ref`",
        ),
    ),
    "litert-ref": (
        "ai_edge_litert",
        Missing(what="ai-edge-litert", install="pip install edgeflow-ml"),
    ),
}
"""By profile, the module of the reference kernels, and what to do without it."""

_CMSIS = ("bakenn", Missing(what="bakenn", install="pip install 'edgeflow-ml[cmsis-nn]'"))
