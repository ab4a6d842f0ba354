"""The flow `rtl`: Verilog of a fixed-point network, by da4ml."""

import platform
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgeflow.errors import CompileError
from edgeflow.targets.base import LITERT, CompiledModel, CompileInput, Runtime
from edgeflow.targets.fpga.compiler import compiler, compiler_program
from edgeflow.targets.fpga.options import FPGAOptions
from edgeflow.targets.fpga.parts import family_of
from edgeflow.targets.lint import operators_of
from edgeflow.toolchain.base import Program

QUANTIZE: frozenset[str] = frozenset({"hgq"})
"""Values of `quantize` that the flow takes."""
DESCRIPTION, LIBRARY = "model.json", "model.so"
RESOURCES = frozenset({"lut", "ff", "carry", "dsp"})
"""Figures of yosys, for the parts whose family it knows."""


def programs(options: FPGAOptions) -> tuple[Program, ...]:
    """Return the C++ compiler for the device's host."""
    return (compiler_program(options.arch),)


def compile_for(job: CompileInput, options: FPGAOptions, out: Path) -> CompiledModel:
    """Write verilog/, model.so and model.json.

    Raises:
        CompileError: there is no network that `quantize: hgq` trained, da4ml does not take it, or
            one of its forms computes otherwise than another.
    """
    if job.network is None or job.network.suffix == ".h5":
        raise CompileError(
            f"{job.worker.title}: `flow: rtl` takes networks that `quantize: hgq` trained, and "
            "there is none here",
            hint="give the recipe `quantize: hgq`, and train the model here",
        )
    operators = len(operators_of(job.model))
    asked = {
        **options.model_dump(mode="json", include={"flow", "part", "clock_ns", "latency_cutoff"}),
        "arch": options.arch,
        "compiler": compiler(options.arch),
        "runs_here": options.arch == platform.machine(),
        "family": family_of(options.part),
        "operators": operators,
    }
    with tempfile.TemporaryDirectory() as name:
        files = {"model.keras": job.network, **_samples(job, Path(name))}
        asked |= {"network": "model.keras", "samples": _SAMPLES if _SAMPLES in files else None}
        answer = job.worker.run(asked, files, out, hint=_HINT)
    figures = answer.pop("figures")
    return CompiledModel(
        model=DESCRIPTION,
        operators={"fpga": max(1, operators)},
        figures=figures,
        host_files=_sources(out),
        facts=answer,
    )


_SAMPLES = "samples.npy"
_HINT = "is there memory for a network of this size? see docs/targets/fpga.md"


def _samples(job: CompileInput, folder: Path) -> Mapping[str, Path]:
    """Write the samples that all forms are compared on, float32 (n, all inputs' elements)."""
    import numpy as np

    if job.samples is None:
        return {}
    arrays = [array.reshape(len(array), -1) for array in job.samples.arrays.values()]
    np.save(folder / _SAMPLES, np.concatenate(arrays, axis=1).astype(np.float32))
    return {_SAMPLES: folder / _SAMPLES}


def _sources(out: Path) -> tuple[str, ...]:
    """Return the files that no device reads: they are for synthesis."""
    names = (path.relative_to(out).as_posix() for path in sorted(out.rglob("*")) if path.is_file())
    return tuple(name for name in names if name not in {DESCRIPTION, LIBRARY})


def runtime(options: FPGAOptions) -> Runtime:
    """Return the simulation; LiteRT is the reference, as the recipe's .tflite is exact."""
    known: frozenset[str] = RESOURCES if family_of(options.part) else frozenset()
    return Runtime(
        engine_module="edgeflow.ondevice.engine_rtl",
        engine_options=dict[str, Any](),
        host_engine_options={},
        tolerance=0.0,
        tools=("numpy",),
        clock="none",
        oracle=LITERT,
        runs_here=options.arch == platform.machine(),
        figures=known | {"cycles"},
        unit=frozenset(),
        machines=(options.arch,),
    )
