"""A target whose engine is a child program, with figures of its own and no wall clock."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from edgeflow.artifact.fingerprint import normalized_source
from edgeflow.errors import CompileError
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


class ChildOptions(TargetOptions):
    """A program that an engine starts."""

    kind: Literal["tiny-child"]
    flash_bytes: Annotated[int, Field(ge=1)] = 8192
    """What a model may take, as where a board has little flash."""


class Child:
    """Ships the recipe's .tflite with a program that runs it."""

    name: ClassVar[str] = "tiny-child"
    capabilities: ClassVar[Capabilities] = Capabilities(
        quantize=frozenset({"none"}), network=True, unit=frozenset({"serial"})
    )
    Options: ClassVar[type[TargetOptions]] = ChildOptions
    figures: ClassVar[tuple[Figure, ...]] = (
        Figure(
            name="tensor_bytes",
            title="memory of all tensors",
            meaning="memory that weights and activations take together",
            unit="KiB",
            scale=1 / 1024,
            kind="emulated",
            bound="max",
        ),
        Figure(
            name="program_starts",
            title="starts of the program",
            meaning="number of times that the program was started",
            kind="emulated",
            bound="max",
        ),
    )

    @staticmethod
    def check(options: Any) -> list[Missing]:
        """Nothing is missing where edgeflow runs."""
        return []

    @staticmethod
    def lint(model: Path, options: ChildOptions) -> list[Lint]:
        """Warn of a model that is too large."""
        size, limit = model.stat().st_size, options.flash_bytes
        message = f"takes {size:,} bytes, more than `flash_bytes`, {limit:,}"
        return [Lint(severity="warning", place="model", message=message)] if size > limit else []

    @staticmethod
    def compile(job: CompileInput, options: ChildOptions, out: Path) -> CompiledModel:
        """Write the program, and the model that it says it can run.

        Raises:
            CompileError: it cannot.
        """
        from . import program  # noqa: TID252  # the package has another name once installed

        shutil.copyfile(job.model, out / "model.tflite")
        (out / "program.py").write_text(normalized_source(program.__name__))
        command = [sys.executable, str(out / "program.py"), str(out / "model.tflite")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise CompileError("the program cannot run the model", hint="try another recipe")
        return CompiledModel(
            model="model.tflite",
            operators={"child": json.loads(done.stdout)["operators"]},
            facts={"weights": _weights(job.network)},
        )

    @staticmethod
    def runtime(options: ChildOptions) -> Runtime:
        """Return the engine that starts the program."""
        engine_options = {"program": "program.py"}
        return Runtime(
            engine_module=f"{__package__}.engine_child",
            engine_options=engine_options,
            host_engine_options=engine_options,
            tolerance=1e-3,
            tools=("ai-edge-litert",),
            clock="none",
        )


def _weights(network: Path | None) -> int | None:
    """Return how many weights a Keras model has, as a compiler that starts from it would see it."""
    if network is None:
        return None
    import h5py

    found: list[int] = []
    with h5py.File(network) as file:
        file["model_weights"].visititems(
            lambda _, item: found.append(item.size) if isinstance(item, h5py.Dataset) else None
        )
    return sum(found)
