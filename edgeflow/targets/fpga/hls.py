"""The flow `hls`: C++ for high-level synthesis, by hls4ml."""

from pathlib import Path

from edgeflow.errors import CompileError
from edgeflow.targets.base import CompiledModel, CompileInput, Runtime
from edgeflow.targets.fpga.options import FPGAOptions
from edgeflow.toolchain.base import Program

QUANTIZE: frozenset[str] = frozenset({"none"})
"""Values of `quantize` that the flow takes."""


def programs(options: FPGAOptions) -> tuple[Program, ...]:  # noqa: ARG001
    """Return the programs of the machine that the flow calls."""
    return ()


def compile_for(job: CompileInput, options: FPGAOptions, out: Path) -> CompiledModel:  # noqa: ARG001
    """Refuse: the flow is not there yet."""
    raise CompileError("`flow: hls` is not part of this version", hint="set `flow: rtl`")


def runtime(options: FPGAOptions) -> Runtime:
    """Return what runs the project's own simulation on the device's host."""
    return Runtime(
        engine_module="edgeflow.ondevice.engine_rtl",
        engine_options={},
        host_engine_options={},
        tolerance=0.0,
        tools=(),
        clock="none",
        runs_here=False,
        machines=(options.arch,),
    )
