"""Target kind `fpga`: networks as hardware description, by da4ml or hls4ml."""

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from edgeflow.figures.figure import Figure
from edgeflow.targets.base import (
    Capabilities,
    CompiledModel,
    CompileInput,
    Lint,
    Missing,
    Runtime,
    TargetOptions,
)
from edgeflow.targets.fpga import hls, rtl
from edgeflow.targets.fpga.figures import FIGURES
from edgeflow.targets.fpga.options import FPGAOptions
from edgeflow.toolchain.base import Toolchain
from edgeflow.toolchain.fpga import environment

_QUANTIZE = {"rtl": rtl.QUANTIZE, "hls": hls.QUANTIZE}
_PROGRAMS = {"rtl": rtl.programs, "hls": hls.programs}
_COMPILE = {"rtl": rtl.compile_for, "hls": hls.compile_for}
_RUNTIME = {"rtl": rtl.runtime, "hls": hls.runtime}


class FPGA:
    """Makes Verilog or C++ for synthesis of a network, and a simulation of it as a library."""

    name: ClassVar[str] = "fpga"
    capabilities: ClassVar[Capabilities] = Capabilities(
        quantize=frozenset().union(*_QUANTIZE.values()),
        io=frozenset(),
        calibration=frozenset(),
        bit_exact=frozenset({"hgq"}),
        simulated=frozenset({"hgq"}),
        network=True,
        layers=True,
        unit=frozenset({"overlay"}),
        lint_untrained=True,
    )
    Options: ClassVar[type[TargetOptions]] = FPGAOptions
    figures: ClassVar[tuple[Figure, ...]] = FIGURES

    @staticmethod
    def capabilities_with(options: FPGAOptions) -> Capabilities:
        """Return what the flow takes."""
        whole = FPGA.capabilities.activations
        activations = hls.activations(options) if options.flow == "hls" else whole
        quantize = _QUANTIZE[options.flow]
        return replace(FPGA.capabilities, quantize=quantize, activations=activations)

    @staticmethod
    def toolchain(options: FPGAOptions) -> Toolchain:
        """Return the environment of da4ml and hls4ml, with the programs that the flow calls."""
        return Toolchain(
            worker=f"{__package__}.fpga_worker",
            environment=environment(),
            programs=_PROGRAMS[options.flow](options),
        )

    @staticmethod
    def check(options: FPGAOptions) -> list[Missing]:  # noqa: ARG004  # part of the protocol
        """Nothing is needed beyond the toolchain."""
        return []

    @staticmethod
    def lint(model: Path, options: FPGAOptions) -> list[Lint]:
        """Say whether the network may be too large to be unrolled."""
        from edgeflow.targets.fpga.lint import findings

        return findings(model) if options.flow == "rtl" else []

    @staticmethod
    def compile(job: CompileInput, options: FPGAOptions, out: Path) -> CompiledModel:
        """Write the sources, model.so, which simulates them, and model.json, which describes it.

        Raises:
            CompileError: the flow does not take the network, or its simulation differs from it.
            MissingToolError: a tool of the flow is missing.
        """
        return _COMPILE[options.flow](job, options, out)

    @staticmethod
    def runtime(options: FPGAOptions) -> Runtime:
        """Return what runs the simulation on the device's host."""
        return _RUNTIME[options.flow](options)
