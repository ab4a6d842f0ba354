"""IREE: float networks as machine code for x86-64, AArch64 and RISC-V, with no runtime beneath."""

import platform
import sys
import tempfile
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from edgeflow.exported.onnx import TOOLS, export_onnx
from edgeflow.paths import workflow_folder
from edgeflow.targets.base import (
    LITERT,
    Capabilities,
    CompiledModel,
    CompileInput,
    Lint,
    Missing,
    Runtime,
    TargetOptions,
)
from edgeflow.targets.lint import by_name, operators_of
from edgeflow.targets.through_onnx import without_form
from edgeflow.toolchain.base import Environment, Toolchain

OPSET = 17
TOLERANCE = 1e-4
"""Difference of an output between LiteRT's kernels and IREE's, which add in another order."""


def _require_device(cpu: str) -> str:
    if cpu == "host":
        raise ValueError("name the device's CPU, for `host` is any that happens to compile")
    return cpu


CPU = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$"), AfterValidator(_require_device)]
Feature = Annotated[str, Field(pattern=r"^[+-][a-z0-9][a-z0-9._-]{0,31}$")]


class IREEOptions(TargetOptions):
    """CPUs of Linux boards and PCs that LiteRT has no package for, such as RISC-V."""

    kind: Literal["iree"]
    arch: Literal["x86_64", "aarch64", "riscv64"] = "aarch64"
    """Architecture of the device's CPU, as `uname -m` says it."""
    cpu: CPU | None = None
    """CPU by LLVM's name, such as `cortex-a72` or `spacemit-x60`; by default any of `arch`."""
    features: list[Feature] = Field(default=[], max_length=64)
    """Instruction sets that the CPU has or lacks beside those, by LLVM's names, such as `+v`."""

    @model_validator(mode="after")
    def _cpu_of_arch(self) -> Self:
        """Refuse a CPU that is plainly another architecture's; LLVM judges all other names."""
        of = [arch for arch, names in _PREFIXES.items() if (self.cpu or "").startswith(names)]
        if of and self.arch not in of:
            raise ValueError(f"`cpu: {self.cpu}` is {of[0]}, not {self.arch}: set `arch: {of[0]}`")
        return self


_PREFIXES = {
    "x86_64": ("x86-64", "haswell", "skylake", "znver"),
    "aarch64": ("apple-", "cortex-", "neoverse-"),
    "riscv64": ("generic-rv64", "sifive-", "spacemit-"),
}
"""What LLVM's names of CPUs begin with, where that tells the architecture."""


class IREE:
    """Compiles the float network by way of ONNX; the library calls IREE's kernels itself."""

    name: ClassVar[str] = "iree"
    capabilities: ClassVar[Capabilities] = Capabilities(
        quantize=frozenset({"none"}), io=frozenset(), calibration=frozenset()
    )
    Options: ClassVar[type[TargetOptions]] = IREEOptions

    @staticmethod
    def check(options: IREEOptions) -> list[Missing]:  # noqa: ARG004  # part of the protocol
        """Nothing is needed beyond the toolchain."""
        return []

    @staticmethod
    def toolchain(options: IREEOptions) -> Toolchain:  # noqa: ARG004  # part of the protocol
        """Return IREE's compiler, and a C compiler and linker for all architectures.

        They run in all versions of Python that edgeflow runs in.
        """
        python = f"{sys.version_info.major}.{sys.version_info.minor}"
        lock = workflow_folder() / "envs" / "iree.txt"
        return Toolchain(
            worker=f"{__package__}.iree_worker",
            environment=Environment(lock=lock, python=python),
        )

    @staticmethod
    def lint(model: Path, options: IREEOptions) -> list[Lint]:  # noqa: ARG004  # part of the protocol
        """Name operators that have no form in ONNX, and those that decide what is computed."""
        found = operators_of(model)
        deciding = [one for one in found if one.name in _DECIDING]
        return [
            *without_form(found, OPSET),
            *by_name(deciding, "warning", "only networks of fixed steps and sizes are compiled"),
        ]

    @staticmethod
    def compile(job: CompileInput, options: IREEOptions, out: Path) -> CompiledModel:
        """Write model.so and model.json, which describes it.

        Raises:
            CompileError: the network has no form in ONNX, IREE does not take it, or LLVM does not
                know the CPU.
        """
        operators = len(operators_of(job.float_model))
        asked = {
            "arch": options.arch,
            "cpu": options.cpu or _BASELINE[options.arch],
            "features": ",".join(options.features),
            "operators": operators,
        }
        with tempfile.TemporaryDirectory() as name:
            path = Path(name) / "model.onnx"
            export_onnx(job.float_model, path, OPSET)
            answer = job.worker.run(asked, {path.name: path}, out, hint=_HINT)
        return CompiledModel(model="model.json", operators={"cpu": operators}, facts=answer)

    @staticmethod
    def runtime(options: IREEOptions) -> Runtime:
        """Return the library's caller; LiteRT is the reference, as hosts may have another CPU."""
        return Runtime(
            engine_module="edgeflow.ondevice.engine_iree",
            engine_options={},
            host_engine_options={},
            tolerance=TOLERANCE,
            oracle=LITERT,
            runs_here=options.arch == platform.machine(),
            machines=(options.arch,),
            tools=TOOLS,
        )


_BASELINE = {"x86_64": "x86-64", "aarch64": "generic", "riscv64": "generic-rv64"}
_DECIDING = frozenset(
    {"IF", "NON_MAX_SUPPRESSION_V4", "NON_MAX_SUPPRESSION_V5", "TFLite_Detection_PostProcess"}
    | {"UNIQUE", "WHERE", "WHILE"}
)
"""Operators whose data decides what is computed next, or how much of it there is."""
_HINT = "try a network of common layers and fixed shapes, or another target for this model"
