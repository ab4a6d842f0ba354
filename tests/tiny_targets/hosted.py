"""A target whose compiler is a program, here or on a compile host."""

from pathlib import Path
from typing import Any, ClassVar, Literal

from edgeflow.targets.base import (
    Capabilities,
    CompiledModel,
    CompileInput,
    HostedOptions,
    Missing,
    Runtime,
    TargetOptions,
)
from edgeflow.targets.litert import LiteRT, LiteRTOptions
from edgeflow.toolchain.base import Program, Toolchain


class BoardOptions(HostedOptions):
    """A compiler for a board."""

    kind: Literal["tiny-hosted"]


class Board:
    """Lets a worker call `tinyc`, which may need a licence."""

    name: ClassVar[str] = "tiny-hosted"
    capabilities: ClassVar[Capabilities] = Capabilities(quantize=frozenset({"none"}))
    Options: ClassVar[type[TargetOptions]] = BoardOptions

    @staticmethod
    def toolchain(options: BoardOptions) -> Toolchain:
        """Return the worker with the program that it calls."""
        program = Program(name="tinyc", install="put tinyc on the PATH")
        return Toolchain(
            worker=f"{__package__}.hosted_worker", programs=(program,), locks=("tinyc",)
        )

    @staticmethod
    def check(options: Any) -> list[Missing]:
        """Nothing is missing beside the toolchain."""
        return []

    @staticmethod
    def compile(job: CompileInput, options: BoardOptions, out: Path) -> CompiledModel:
        """Hand the model to the worker."""
        answer = job.worker.run({}, {"in.tflite": job.model}, out, hint="try another recipe")
        return CompiledModel(
            model="model.tflite", operators={"cpu": 1}, facts={"compiler_lines": answer["lines"]}
        )

    @staticmethod
    def runtime(options: BoardOptions) -> Runtime:
        """Return LiteRT."""
        return LiteRT.runtime(LiteRTOptions(kind="litert"))
