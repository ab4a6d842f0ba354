"""The compile step: recipe's model to a target's artifact, with the host's reference outputs."""

import importlib
import itertools
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeflow.artifact.manifest import Manifest, read_manifest, verify_files
from edgeflow.artifact.sources import Sources
from edgeflow.artifact.step import Files, StepSpec, run_step
from edgeflow.compress.form import NETWORK, Form, flatbuffer_form
from edgeflow.compress.same import SAMPLES, require_close
from edgeflow.config.recipe import CALIBRATED, Recipe
from edgeflow.config.samples import Part
from edgeflow.config.target import needs_validation, toolchain_of
from edgeflow.dataset.view import DatasetView, open_dataset, part_files
from edgeflow.errors import CompileError, MissingToolError
from edgeflow.targets import registry
from edgeflow.targets.apart import host_engine
from edgeflow.targets.base import (
    CompileInput,
    Missing,
    Runtime,
    Target,
    ValidationSet,
    parse_options,
)
from edgeflow.targets.findings import Findings
from edgeflow.targets.host import REFERENCE, Io, floats, run_engine
from edgeflow.targets.identity import identify
from edgeflow.targets.outcome import require_sound, size_bytes
from edgeflow.targets.worker import Worker
from edgeflow.tasks.registry import task_of
from edgeflow.toolchain.base import Host, Identity

COMPILED = "compiled"
TOOLS = ("numpy",)


def compile_model(
    name: str,
    dataset: Path,
    recipe: Path,
    slice_: Mapping[str, Any],
    code: str,
    out: Path,
    toolchain: Identity | None = None,
    host: Host = None,
) -> Manifest:
    """Compile one model for one target.

    Args:
        name: target, model and recipe, for messages.
        dataset: folder of the model's dataset.
        recipe: folder that the compress step made.
        slice_: ``{"target": JSON form of the target's options}``.
        code: fingerprint of the step.
        out: folder for compiled/, reference/ (what the target's engine gives on the host for the
            test set, an .npy file for each output, in its own dtype) and compile.json.
        toolchain: what the target's toolchain was when the step was planned; it is asked if that is
            not known. Under this the output is stored.
        host: compile host that has the toolchain.

    Raises:
        MissingToolError: a tool that the target needs is not installed.
        CompileError: the compiler rejects the model.
        IntegrityError: the toolchain is another than the one planned with.
        UnreachableError: the compile host does not answer.
    """
    target = registry.get(slice_["target"]["kind"])
    parsed = parse_options(target, slice_["target"])
    applied = _applied(target, parsed, recipe)
    findings = Findings(title=name, target=target, options=parsed, model=applied.model)
    with findings.kept(out):
        require_tools(name, target.check(parsed))
        tools = toolchain_of(target, parsed)
        identity = toolchain or identify(tools, host)
        worker = Worker(title=name, toolchain=tools, host=host, identity=identity)
        spec = StepSpec(
            step="compile",
            name=name,
            inputs=_inputs(applied, dataset),
            slice=dict(slice_),
            code=code,
            tools=(*TOOLS, *target.runtime(parsed).reference_tools),
            toolchain=identity,
            manifest="compile.json",
            cpu="all",
        )
        return run_step(
            spec, out, lambda folder: _compile(worker, findings, applied, dataset, folder)
        )


def require_tools(name: str, missing: Sequence[Missing]) -> None:
    """Refuse to compile where something is missing.

    Raises:
        MissingToolError: something is.
    """
    if missing:
        raise MissingToolError(
            f"{name} needs {', '.join(item.what for item in missing)}",
            hint="; ".join(item.install for item in missing),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Applied:
    """What the compress step left, as far as a target's compiler reads it.

    Attributes:
        folder: of the step.
        recipe: what was applied.
        outputs: names of the network's outputs, by position.
        files: that the compiler reads.
        judged: whether the compiler judges its own work by the metric.
        parts: of the dataset that the step reads.
    """

    folder: Path
    recipe: Recipe
    outputs: Sequence[str]
    files: tuple[str, ...]
    judged: bool
    parts: tuple[Part, ...]

    @property
    def model(self) -> Path:
        """The recipe's model."""
        return self.folder / "model.tflite"

    def network(self) -> Path | None:
        """Return the file of the network itself, if the target asks for it and there is one."""
        kept = [name for name in self.files if name.startswith(f"{NETWORK}/")]
        return next((self.folder / name for name in kept if not name.endswith(".tflite")), None)


def _applied(target: type[Target], options: Any, folder: Path) -> _Applied:
    manifest = read_manifest(folder / "manifest.json")
    network = [name for name in manifest.files if name.startswith(f"{NETWORK}/")]
    recipe = Recipe.model_validate(manifest.facts["recipe"])
    return _Applied(
        folder=folder,
        recipe=recipe,
        outputs=manifest.facts["outputs"],
        files=("model.tflite", "float.tflite", *(network if target.capabilities.network else ())),
        judged=_is_judged(target, options, recipe),
        parts=_parts(target, options, recipe),
    )


def _inputs(applied: _Applied, dataset: Path) -> dict[str, Path | Files | Sources]:
    facts = ("recipe", "outputs")
    manifest = applied.folder / "manifest.json"
    return {
        "dataset": part_files(dataset, applied.parts),
        "recipe": Files(manifest=manifest, names=applied.files, facts=facts),
    }


def _is_judged(target: type[Target], options: Any, recipe: Recipe) -> bool:
    return recipe.quantize in CALIBRATED and needs_validation(target, options)


def _parts(target: type[Target], options: Any, recipe: Recipe) -> tuple[Part, ...]:
    """Return what is read of the dataset: targets may quantize in a form of their own."""
    read: dict[Part, bool] = {
        "calibration": recipe.quantize in CALIBRATED,
        "validation": _is_judged(target, options, recipe)
        or recipe.quantize in target.capabilities.simulated,
        "test": True,
    }
    return tuple(part for part, needed in read.items() if needed)


def _validation(name: str, dataset: DatasetView) -> ValidationSet:
    task = task_of(dataset.facts)
    if not task.validates:
        raise CompileError(
            f"{name} is to keep the {task.metric.title}, which the validation set of "
            f"`task: {task.name}` cannot tell",
            hint="leave out what asks for it, such as `accuracy_control`, and set a gate",
        )
    return ValidationSet(
        inputs=dataset.tensors("validation"), truth=dataset.truth("validation"), task=task
    )


def _compile(
    worker: Worker, findings: Findings, applied: _Applied, folder: Path, out: Path
) -> dict[str, object]:
    target, options = findings.target, findings.options
    parts = applied.parts
    dataset = open_dataset(folder, parts)
    verify_files(applied.folder / "manifest.json", [*applied.files])
    job = CompileInput(
        model=applied.model,
        float_model=applied.folder / "float.tflite",
        network=applied.network(),
        recipe=applied.recipe,
        calibration=dataset.tensors("calibration") if "calibration" in parts else None,
        worker=worker,
        validation=_validation(worker.title, dataset) if applied.judged else None,
        samples=dataset.tensors("validation") if "validation" in parts else None,
    )
    artifact = out / COMPILED
    artifact.mkdir()
    told = findings.told  # before the compiler, which may fail for this reason
    compiled = target.compile(job, options, artifact)
    require_sound(worker.title, target, compiled, artifact)
    runtime = target.runtime(options)
    tolerances = compiled.tolerances or itertools.repeat(runtime.tolerance)
    io, figure = _reference(
        worker.title, job, runtime, compiled.model, dataset, applied.outputs, out
    )
    if runtime.oracle and runtime.oracle.model:
        shutil.move(artifact / runtime.oracle.model, out / REFERENCE)
    for tensor, tolerance in zip(io["outputs"], tolerances, strict=False):
        tensor["tolerance"] = tolerance
    return {
        "kind": target.name,
        "quantize": applied.recipe.quantize,
        "model": compiled.model,
        "size_bytes": size_bytes(compiled, artifact),
        "host_files": list(compiled.host_files),
        "operators": dict(compiled.operators),
        "io": io,
        "metric": task_of(dataset.facts).metric.name,
        "metric_test": figure,
        "figures": dict(compiled.figures),
        "lint": told,
        **compiled.facts,
    }


def _reference(
    name: str,
    job: CompileInput,
    runtime: Runtime,
    model: str,
    dataset: DatasetView,
    outputs: Sequence[str],
    out: Path,
) -> tuple[dict[str, Any], float]:
    """Make the reference outputs for the test set; return I/O and metric."""
    import numpy as np

    engine = reference_engine(job, runtime, model, out / COMPILED)
    io = named(engine.io(), list(dataset.facts.inputs), outputs)
    inputs = dataset.tensors("test")
    raw = run_engine(engine, io, inputs)
    found = list(floats(raw, io).arrays.values())
    (out / REFERENCE).mkdir()
    for tensor, array in zip(io["outputs"], raw.arrays.values(), strict=True):
        np.save(out / REFERENCE / f"{tensor['name']}.npy", array)
    before = flatbuffer_form(job.model.read_bytes())
    after = Form(lambda samples: [array[: len(samples)] for array in found])
    require_close(name, "the compiler", before, after, inputs[:SAMPLES])
    return io, task_of(dataset.facts).figure(found[0], inputs.first, dataset.truth("test"))


def reference_engine(job: CompileInput, runtime: Runtime, model: str, folder: Path) -> Any:
    """Return the compiled model in its engine, or what the target's oracle opens in that."""
    oracle = runtime.oracle
    if oracle:
        engine_class = importlib.import_module(oracle.module).Engine
        if hasattr(engine_class, "of_job"):
            return engine_class.of_job(job, dict(oracle.options))
        path = folder / oracle.model if oracle.model else job.model
        return engine_class(str(path.parent), {"model": path.name, **oracle.options})
    return host_engine(runtime, job.worker.toolchain, model, folder, job.worker.title)


def named(io: Io, inputs: Sequence[str], outputs: Sequence[str]) -> dict[str, Any]:
    """Return an engine's I/O with the names of dataset and network: formats keep but the order."""
    names = {"inputs": inputs, "outputs": outputs}
    return {
        side: [{**one, "name": name} for one, name in zip(io[side], names[side], strict=True)]
        for side in names
    }
