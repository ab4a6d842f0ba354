"""A target whose compiler needs another Python than edgeflow, with packages of its own."""

from pathlib import Path
from typing import Any, ClassVar, Literal

from edgeflow.targets.base import (
    Capabilities,
    CompiledModel,
    CompileInput,
    Missing,
    Runtime,
    TargetOptions,
)
from edgeflow.targets.litert import LiteRT, LiteRTOptions
from edgeflow.toolchain.base import Environment, Toolchain


class OldPythonOptions(TargetOptions):
    """A compiler for another Python."""

    kind: Literal["tiny-old-python"]
    python: str
    """Version of Python that the compiler needs."""


class OldPython:
    """Lets a worker in that Python write the model."""

    name: ClassVar[str] = "tiny-old-python"
    capabilities: ClassVar[Capabilities] = Capabilities(quantize=frozenset({"none"}))
    Options: ClassVar[type[TargetOptions]] = OldPythonOptions

    @staticmethod
    def toolchain(options: OldPythonOptions) -> Toolchain:
        """Return the worker with its lock."""
        lock = Path(__file__).with_name("old-python.txt")
        return Toolchain(
            worker=f"{__package__}.old_python_worker",
            environment=Environment(lock=lock, python=options.python),
        )

    @staticmethod
    def check(options: Any) -> list[Missing]:
        """Nothing is missing beside the toolchain."""
        return []

    @staticmethod
    def compile(job: CompileInput, options: OldPythonOptions, out: Path) -> CompiledModel:
        """Hand the model to the worker."""
        answer = job.worker.run({}, {"in.tflite": job.model}, out, hint="try another recipe")
        return CompiledModel(
            model="model.tflite", operators={"cpu": 1}, facts={"written_by": answer["written_by"]}
        )

    @staticmethod
    def runtime(options: OldPythonOptions) -> Runtime:
        """Return LiteRT."""
        return LiteRT.runtime(LiteRTOptions(kind="litert"))
