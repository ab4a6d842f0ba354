"""The import step: a model file that the user brings, in the place of a training."""

from pathlib import Path

from edgeflow.config.modelfile import imported_name, kind_of
from edgeflow.plan import Plan
from edgeflow.plan.job import Job

IMPORTERS = {
    "keras": ("edgeflow.imported.from_keras", "edgeflow.imported.keras3_worker"),
    "saved_model": ("edgeflow.imported.from_saved_model",),
    "onnx": ("edgeflow.imported.from_onnx", "edgeflow.imported.onnx_worker"),
    "tflite": ("edgeflow.imported.from_tflite", "edgeflow.imported.tflite_worker"),
}
"""Modules that import a model, by the kind of its file; workers run in processes of their own."""


def job(plan: Plan, model: str) -> Job:
    """Return the job that imports a model file; the file itself is no part of it, but an input."""
    section, kind = plan.config.models[model], kind_of(source_of(plan, model))
    return Job(
        slice={"kind": kind, **section.model_dump(mode="json", include={"input", "output"})},
        modules=("edgeflow.imported.build", *IMPORTERS[kind or "keras"]),
    )


def source_of(plan: Plan, model: str) -> Path:
    """Return the model file that a model comes from; KeyError if it is trained instead."""
    source = plan.config.models[model].source
    if source is None:
        raise KeyError(f"{model} is trained, not imported")
    return Path(source).expanduser()


def models_imported_as(plan: Plan, name: str) -> list[str]:
    """Return the models whose import makes a file of that name."""
    imported = [model for model, section in plan.config.models.items() if section.source]
    return [model for model in imported if imported_name(source_of(plan, model)) == name]
