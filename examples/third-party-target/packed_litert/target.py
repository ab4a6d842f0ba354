"""Target kind `packed-litert`: a .tflite packed with LZMA, for devices with little flash."""

import lzma
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from edgeflow.config.tflitefile import read_tflite
from edgeflow.errors import CompileError
from edgeflow.figures.figure import Figure
from edgeflow.targets.base import (
    Capabilities,
    CompiledModel,
    CompileInput,
    Fit,
    Memory,
    Missing,
    Runtime,
    TargetOptions,
)

MODEL = "model.tflite.xz"


class PackedOptions(TargetOptions):
    """LiteRT on a Linux board whose flash is scarce, and whose RAM is not."""

    kind: Literal["packed-litert"]
    flash_kb: Annotated[float, Field(gt=0)] = 512
    """Flash that a packed model may take, in kB of 1,024 bytes."""
    threads: Annotated[int, Field(ge=1, le=64)] = 1
    """Threads of the interpreter."""


class PackedLiteRT:
    """Packs the recipe's .tflite; the device unpacks it into memory when it loads it."""

    name: ClassVar[str] = "packed-litert"
    capabilities: ClassVar[Capabilities] = Capabilities(
        quantize=frozenset({"none", "ptq-int8"}), bit_exact=frozenset({"ptq-int8"})
    )
    Options: ClassVar[type[TargetOptions]] = PackedOptions
    figures: ClassVar[tuple[Figure, ...]] = (
        Figure(
            name="packed_kb",
            title="packed model",
            meaning="flash that the packed model takes, in kB of 1,024 bytes",
            unit="kB",
            bound="max",
        ),
    )

    @staticmethod
    def check(options: Any) -> list[Missing]:  # noqa: ARG004  # part of the protocol
        """Nothing is needed beside edgeflow."""
        return []

    @staticmethod
    def fit(model: Path, options: PackedOptions, worker: object) -> Fit:  # noqa: ARG004
        """Return what a .tflite takes of the flash.

        Raises:
            CompileError: the file is no .tflite.
        """
        needed, limit = len(_packed(model)), int(options.flash_kb * 1024)
        problem = f"packed, it takes {needed:,} bytes of flash, more than `flash_kb`, {limit:,}"
        return Fit(
            memories=(Memory(name="flash", needed_bytes=needed, limit_bytes=limit),),
            macs=0,
            exact=True,
            problem=problem if needed > limit else "",
            hint="take a recipe with `prune` or `cluster`, whose weights pack well",
            share=min(1.0, (limit / needed) ** 0.5),
        )

    @staticmethod
    def compile(job: CompileInput, options: PackedOptions, out: Path) -> CompiledModel:
        """Write the packed model.

        Raises:
            CompileError: the file is no .tflite, or the flash is too small for it.
        """
        fit = PackedLiteRT.fit(job.model, options, None)
        if fit.problem:
            raise CompileError(fit.problem, hint=fit.hint)
        packed = _packed(job.model)
        (out / MODEL).write_bytes(packed)
        found = read_tflite(job.model)
        return CompiledModel(
            model=MODEL,
            operators={"cpu": len(found.operators) if found else 0},
            figures={"packed_kb": len(packed) / 1024},
        )

    @staticmethod
    def runtime(options: PackedOptions) -> Runtime:
        """Return the engine that unpacks the model."""
        engine_options = {"threads": options.threads}
        return Runtime(
            engine_module="packed_litert.engine",
            engine_options=engine_options,
            host_engine_options=engine_options,
            tolerance=1e-3,
            tools=("ai-edge-litert",),
        )


def _packed(model: Path) -> bytes:
    if read_tflite(model) is None:
        raise CompileError(f"{model} is no .tflite", hint="run `edgeflow run` to make it again")
    return lzma.compress(model.read_bytes(), preset=9 | lzma.PRESET_EXTREME)
