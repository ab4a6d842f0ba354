"""The compile step: recipe's model to a target's artifact, with the host's reference outputs."""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgeflow.artifact.manifest import Manifest, read_manifest, verify_files
from edgeflow.artifact.step import Files, StepSpec, run_step
from edgeflow.compress.evaluate import dequantized, quantized
from edgeflow.compress.form import NETWORK, Form, flatbuffer_form
from edgeflow.compress.same import SAMPLES, require_close
from edgeflow.config.recipe import CALIBRATED, Recipe
from edgeflow.dataset.task import task_of
from edgeflow.dataset.view import DatasetView, Part, open_dataset, part_files
from edgeflow.errors import MissingToolError
from edgeflow.targets import registry
from edgeflow.targets.base import CompileInput, Runtime, Target, parse_options

COMPILED = "compiled"
TOOLS = ("numpy",)


def compile_model(
    name: str, dataset: Path, recipe: Path, slice_: Mapping[str, Any], code: str, out: Path
) -> Manifest:
    """Compile one model for one target.

    Args:
        name: target, model and recipe, for messages.
        dataset: folder of the model's dataset.
        recipe: folder that the compress step made.
        slice_: ``{"target": JSON form of the target's options}``.
        code: fingerprint of the step.
        out: folder for compiled/, reference.npy (what the target's engine gives on the host for
            the test set, in the model's own dtype) and compile.json.

    Raises:
        MissingToolError: a tool that the target needs is not installed.
        CompileError: the compiler rejects the model.
    """
    target = registry.get(slice_["target"]["kind"])
    parsed = parse_options(target, slice_["target"])
    missing = target.check(parsed)
    if missing:
        raise MissingToolError(
            f"{name} needs {', '.join(item.what for item in missing)}",
            hint="; ".join(item.install for item in missing),
        )
    applied = Recipe.model_validate(read_manifest(recipe / "manifest.json").facts["recipe"])
    spec = StepSpec(
        step="compile",
        name=name,
        inputs={
            "dataset": part_files(dataset, _parts(applied)),
            "recipe": Files(
                manifest=recipe / "manifest.json",
                names=_files(target, recipe),
                facts=("recipe",),
            ),
        },
        slice=dict(slice_),
        code=code,
        tools=(*TOOLS, *target.runtime(parsed).tools),
        manifest="compile.json",
        cpu="all",
    )
    return run_step(
        spec, out, lambda folder: _compile(name, target, parsed, applied, dataset, recipe, folder)
    )


def _files(target: type[Target], recipe: Path) -> tuple[str, ...]:
    """Return the files of a recipe that a target's compiler reads."""
    listed = read_manifest(recipe / "manifest.json").files
    network = [
        name for name in listed if target.capabilities.network and name.startswith(f"{NETWORK}/")
    ]
    return ("model.tflite", "float.tflite", *network)


def _network(target: type[Target], recipe: Path) -> Path | None:
    """Return the file of the network itself, if the target asks for it and there is one."""
    _, _, *network = _files(target, recipe)
    return next((recipe / name for name in network if not name.endswith(".tflite")), None)


def _parts(recipe: Recipe) -> tuple[Part, ...]:
    """Return what is read of the dataset: targets may quantize in a form of their own."""
    return ("calibration", "test") if recipe.quantize in CALIBRATED else ("test",)


def _compile(
    name: str,
    target: type[Target],
    options: Any,
    applied: Recipe,
    folder: Path,
    recipe: Path,
    out: Path,
) -> dict[str, object]:
    parts = _parts(applied)
    dataset = open_dataset(folder, parts)
    verify_files(recipe / "manifest.json", [*_files(target, recipe)])
    job = CompileInput(
        model=recipe / "model.tflite",
        float_model=recipe / "float.tflite",
        network=_network(target, recipe),
        recipe=applied,
        calibration=dataset.inputs("calibration") if "calibration" in parts else None,
    )
    artifact = out / COMPILED
    artifact.mkdir()
    compiled = target.compile(job, options, artifact)
    runtime = target.runtime(options)
    io, accuracy = _reference(name, job, runtime, compiled.model, dataset, out)
    return {
        "kind": target.name,
        "quantize": applied.quantize,
        "model": compiled.model,
        "size_bytes": sum(path.stat().st_size for path in artifact.rglob("*") if path.is_file()),
        "operators": dict(compiled.operators),
        "tolerance": runtime.tolerance if compiled.tolerance is None else compiled.tolerance,
        "io": io,
        "accuracy_test": accuracy,
        **compiled.facts,
    }


def _reference(
    name: str,
    job: CompileInput,
    runtime: Runtime,
    model: str,
    dataset: DatasetView,
    out: Path,
) -> tuple[dict[str, Any], float]:
    """Run the compiled model on the host over the test set; return its I/O and metric."""
    import numpy as np

    engine_class = importlib.import_module(runtime.engine_module).Engine
    engine_options = {"model": model, "unit": {}, **runtime.host_engine_options}
    engine = engine_class(str(out / COMPILED), engine_options)
    io: dict[str, Any] = engine.io()
    source, sink = (_details(io[side]) for side in ("input", "output"))
    inputs = dataset.inputs("test")
    samples = quantized(inputs, source)
    outputs = np.concatenate([engine.infer(sample[None]) for sample in samples])
    np.save(out / "reference.npy", outputs)
    floats = dequantized(outputs, sink)
    before = flatbuffer_form(job.model.read_bytes())
    require_close(name, "the compiler", before, Form(lambda x: floats[: len(x)]), inputs[:SAMPLES])
    return io, task_of(dataset.facts).figure(floats, inputs, dataset.labels("test"))


def _details(tensor: Mapping[str, Any]) -> dict[str, Any]:
    """Return a tensor's description in the form that the interpreter gives it."""
    return {
        "dtype": tensor["dtype"],
        "quantization": (tensor["scale"], tensor["zero_point"]),
    }
