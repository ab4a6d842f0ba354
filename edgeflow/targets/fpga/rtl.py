"""The flow `rtl`: Verilog of a fixed-point network, by da4ml."""

from pathlib import Path

from edgeflow.errors import CompileError
from edgeflow.targets.base import LITERT, CompiledModel, CompileInput, Runtime
from edgeflow.targets.fpga.options import FPGAOptions
from edgeflow.toolchain.base import Program

QUANTIZE: frozenset[str] = frozenset()
"""Values of `quantize` that the flow takes."""


def programs(options: FPGAOptions) -> tuple[Program, ...]:  # noqa: ARG001
    """Return the programs of the machine that the flow calls."""
    return (Program(name="g++", install="apt install g++"),)


def compile_for(job: CompileInput, options: FPGAOptions, out: Path) -> CompiledModel:  # noqa: ARG001
    """Refuse: the flow is not there yet."""
    raise CompileError("`flow: rtl` is not part of this version", hint="choose another target")


def runtime(options: FPGAOptions) -> Runtime:
    """Return the simulation; LiteRT is the reference, as the recipe's .tflite is exact."""
    return Runtime(
        engine_module="edgeflow.ondevice.engine_rtl",
        engine_options={},
        host_engine_options={},
        tolerance=0.0,
        tools=(),
        clock="none",
        oracle=LITERT,
        machines=(options.arch,),
    )
