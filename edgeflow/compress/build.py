"""The compress step: float model and recipe to model.tflite."""

import importlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgeflow.artifact.cpu import hold_kernels, reproducible
from edgeflow.artifact.manifest import Manifest
from edgeflow.artifact.step import StepSpec, run_step
from edgeflow.compress.conversion import running
from edgeflow.compress.evaluate import host_outputs
from edgeflow.compress.slice import CompressSlice
from edgeflow.config.recipe import Recipe
from edgeflow.dataset.view import DatasetView, open_dataset, part_files
from edgeflow.errors import CompileError, IntegrityError
from edgeflow.tasks.registry import task_of
from edgeflow.toolchain.base import Identity
from edgeflow.toolchain.environment import locked
from edgeflow.toolchain.fpga import environment

TOOLS = ("tensorflow", "tf-keras", "numpy", "ai-edge-litert")


def compress_model(
    name: str,
    dataset: Path,
    model: Path,
    slice_: Mapping[str, Any],
    code: str,
    out: Path,
    teachers: Sequence[Path] = (),
    toolchain: Identity | None = None,
) -> Manifest:
    """Apply one recipe to a trained model.

    Args:
        name: model and recipe, for messages.
        dataset: folder of the model's dataset.
        model: folder of the trained model.
        slice_: JSON form of `CompressSlice`.
        code: fingerprint of the step.
        out: folder for model.tflite (the recipe's result), float.tflite (the same network before
            quantization), network/ (the file that it was converted from), outputs.npy (float32,
            host reference on the test set), manifest.json.
        teachers: folders `<model>/baseline` of the trained models that the recipe's stages learn
            from.
        toolchain: what the step was planned to run in beside edgeflow's own environment; it is
            looked at if that is not known. Under this the output is stored.

    Raises:
        CompileError: the converter rejects the network, a stage cannot take it, or what comes out
            overflows.
        TrainingError: a stage diverged.
        IntegrityError: an input is not what its manifest says, or the toolchain is another than
            the one planned with.
        MissingToolError: the toolchain, or a part of it, is missing.
    """
    parsed = CompressSlice.model_validate(dict(slice_))
    parts = parsed.recipe.parts()
    named = {folder.parent.name: folder for folder in teachers}
    spec = StepSpec(
        step="compress",
        name=name,
        inputs={"dataset": part_files(dataset, parts), **_manifests(model, named)},
        slice=parsed.model_dump(mode="json"),
        code=code,
        toolchain=_toolchain(name, parsed, toolchain),
        tools=(*TOOLS, *(("tensorflow-model-optimization",) if parsed.recipe.stages() else ())),
    )

    def build(out: Path) -> dict[str, object]:
        if reproducible(spec.slice):
            hold_kernels()  # also where TensorFlow is imported for its converter alone
        view = open_dataset(dataset, parts)
        way = "choose" if parsed.recipe.auto else "pipeline"
        run = importlib.import_module(f"edgeflow.compress.{way}").run
        facts: dict[str, object] = run(name, view, model, named, parsed, out)
        return {**facts, **_judge(name, view, out, parsed.recipe)}

    return run_step(spec, out, build)


def _manifests(model: Path, teachers: Mapping[str, Path]) -> dict[str, Path]:
    of_teachers = {f"teacher {name}": folder for name, folder in teachers.items()}
    folders = {"model": model, **of_teachers}
    return {name: folder / "manifest.json" for name, folder in folders.items()}


def _toolchain(name: str, slice_: CompressSlice, planned: Identity | None) -> Identity:
    """Return what the step runs in beside edgeflow's own environment."""
    recipes = [slice_.recipe, *(one.slice.recipe for one in slice_.candidates.values())]
    found = locked(environment() if any(one.quantize == "hgq" for one in recipes) else None)
    if planned and planned != found:
        raise IntegrityError(
            f"{name}: {', '.join(sorted(planned))} is of another version than planned with",
            hint="run `edgeflow run` again",
        )
    return found


def _judge(name: str, dataset: DatasetView, out: Path, recipe: Recipe) -> dict[str, object]:
    """Run the result on the host over the test set."""
    import numpy as np

    flatbuffer = (out / "model.tflite").read_bytes()
    inputs = dataset.tensors("test")
    with running(name, "" if recipe.auto else recipe.quantize):
        outputs = host_outputs(flatbuffer, inputs)
    np.save(out / "outputs.npy", outputs)
    task = task_of(dataset.facts)
    figure = task.figure(outputs, inputs.first, dataset.truth("test"))
    if not math.isfinite(figure):
        raise CompileError(
            f"{name}: the model's outputs are no finite numbers",
            hint="the number format may be too narrow: use another recipe",
        )
    return {"metric": task.metric.name, "metric_test": figure, "size_bytes": len(flatbuffer)}
