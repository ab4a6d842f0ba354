"""The import step: a model file to what a training leaves."""

import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgeflow.artifact.manifest import Manifest
from edgeflow.artifact.sources import Sources, planned_digest
from edgeflow.artifact.step import StepSpec, run_step
from edgeflow.config.base import Section
from edgeflow.config.modelbytes import flaw
from edgeflow.config.modelfile import Kind, files_of
from edgeflow.config.samples import Part
from edgeflow.console import say
from edgeflow.dataset.view import open_dataset, part_files
from edgeflow.errors import CompileError
from edgeflow.imported.ends import Inputs, Outputs, safe
from edgeflow.imported.model import Imported, Request
from edgeflow.tasks.chance import chance_note
from edgeflow.tasks.registry import task_of
from edgeflow.train.build import judged
from edgeflow.train.loop import write_history

TOOLS = ("tensorflow", "tf-keras", "keras", "numpy", "ai-edge-litert")
PARTS: tuple[Part, ...] = ("validation", "test")


class ImportSlice(Section):
    """The slice of the configuration that an import depends on."""

    kind: Kind
    input: Inputs = None
    output: Outputs = None


def import_model(
    name: str,
    dataset: Path,
    source: Path,
    slice_: Mapping[str, Any],
    code: str,
    out: Path,
    planned: str = "",
) -> Manifest:
    """Import one model file.

    Args:
        name: the model's name, for messages.
        dataset: folder of a built dataset.
        source: the file, or the folder of a SavedModel.
        slice_: JSON form of `ImportSlice`.
        code: fingerprint of the step.
        out: folder for the model (model.h5, graph.pb or model.tflite), history.csv (no rows),
            outputs.npy (float32, test set) and manifest.json.
        planned: digest of the model's files when Snakemake planned this; empty if nobody did.

    Raises:
        CompileError: the file cannot be read, does not fit the dataset, or changes in conversion.
        IntegrityError: the dataset is not what its manifest says, or the model's files changed
            since they were planned, or while they were read.
    """
    parsed = ImportSlice.model_validate(dict(slice_))
    spec = StepSpec(
        step="import",
        name=name,
        inputs={
            "dataset": part_files(dataset, PARTS),
            "model": Sources("import", name, lambda: _model_files(source), planned),
        },
        slice=parsed.model_dump(mode="json"),
        code=code,
        tools=(*TOOLS, *getattr(_importer(parsed.kind), "TOOLS", ())),
    )
    return run_step(spec, out, lambda folder: _import(name, dataset, source, parsed, folder))


def source_digest(name: str, source: Path) -> str:
    """Return the digest of a model's files, for Snakemake to plan by."""
    return planned_digest("import", name, lambda: _model_files(source))


def _model_files(source: Path) -> dict[str, Path]:
    """Return a model's files by where they lie from it; its own name does not count."""
    return {os.path.relpath(file, source): file for file in files_of(source)}


def _importer(kind: Kind) -> Any:
    """Return the module that imports files of a kind."""
    return importlib.import_module(f"edgeflow.imported.from_{kind}")


def _import(
    name: str, folder: Path, source: Path, slice_: ImportSlice, out: Path
) -> dict[str, object]:
    import numpy as np

    reason = flaw(source)
    if reason:
        raise CompileError(f"{name}: {reason}", hint="replace the file, then run `edgeflow check`")
    dataset = open_dataset(folder, PARTS)
    request = Request(source=source, dataset=dataset, input=slice_.input, output=slice_.output)
    try:
        model: Imported = _importer(slice_.kind).load(request, out)
    except CompileError as error:
        raise CompileError(f"{name}: {error.message}", hint=error.hint) from error
    outputs = model.predict(dataset.tensors("test"))[0]
    np.save(out / "outputs.npy", outputs)
    write_history([], out / "history.csv", task_of(dataset.facts).metric)
    found = judged(dataset, outputs, lambda inputs: model.predict(inputs)[0])
    note = chance_note(found["metric"], found["confusion_test"] or ())
    if note:
        say(f"warning: {name}: {note}")
    return {
        **found,
        "outputs": safe(model.outputs),
        "parameters": model.parameters,
        "quantized": dict(model.quantized),
    }
