"""The debug step: a quantized model to figures of where it loses precision."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeflow.artifact.atomic import write_json
from edgeflow.artifact.manifest import Manifest, read_manifest, verify_files
from edgeflow.artifact.step import Files, StepSpec, run_step
from edgeflow.compress.debug.calibration_size import by_calibration_size
from edgeflow.compress.debug.classes import compare_classes
from edgeflow.compress.debug.errors import HURTS_BELOW_DB, Comparison, compare
from edgeflow.compress.debug.graph import open_graph
from edgeflow.compress.evaluate import host_outputs
from edgeflow.config.recipe import CALIBRATED, INTEGER, Recipe
from edgeflow.config.samples import Part
from edgeflow.console import say
from edgeflow.dataset import channels
from edgeflow.dataset.tensors import Tensors
from edgeflow.dataset.view import DatasetView, open_dataset, part_files
from edgeflow.tasks.registry import task_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FILE = "quantization.json"
TOOLS = ("tensorflow", "numpy", "ai-edge-litert")
MODELS = ("model.tflite", "float.tflite", "outputs.npy")
PARTS: tuple[Part, ...] = ("test", "calibration")


def debug_recipe(
    name: str, dataset: Path, recipe: Path, slice_: Mapping[str, Any], code: str, out: Path
) -> Manifest:
    """Measure what quantization did to one model.

    Args:
        name: model and recipe, for messages.
        dataset: folder of the model's dataset.
        recipe: folder that the compress step made.
        slice_: none.
        code: fingerprint of the step.
        out: folder for quantization.json and manifest.json.

    Raises:
        IntegrityError: an input is not what its manifest says.
    """
    facts = read_manifest(recipe / "manifest.json").facts
    known = tuple(name for name in ("recipe", "kept_float") if name in facts)
    spec = StepSpec(
        step="debug",
        name=name,
        inputs={
            "dataset": part_files(dataset, PARTS),
            "recipe": Files(manifest=recipe / "manifest.json", names=MODELS, facts=known),
        },
        slice=dict(slice_),
        code=code,
        tools=TOOLS,
    )

    def build(folder: Path) -> dict[str, object]:
        verify_files(recipe / "manifest.json", list(MODELS))
        figures = _figures(recipe, facts, open_dataset(dataset, PARTS))
        write_json(folder / FILE, figures)
        return {}

    return run_step(spec, out, build)


def _figures(folder: Path, facts: Mapping[str, Any], dataset: DatasetView) -> dict[str, object]:
    import numpy as np

    applied = Recipe.model_validate(facts["recipe"])
    if applied.quantize not in INTEGER:  # what `auto` took
        return {"quantize": applied.quantize}
    before, after = ((folder / name).read_bytes() for name in ("float.tflite", "model.tflite"))
    outputs = np.load(folder / "outputs.npy", allow_pickle=False)
    sizes: list[dict[str, object]] = []
    if applied.quantize in CALIBRATED:
        kept = [entry["layer"] for entry in facts.get("kept_float", ())]
        sizes = by_calibration_size(before, applied, kept, dataset)
    inputs = dataset.tensors("calibration")
    narrow = narrow_channels(after, inputs)
    for name, found in narrow.items():
        which = f"input {name}: " if len(narrow) > 1 else ""
        if found:
            text = channels.warning(found, inputs.arrays[name].shape[-1])
            say(f"warning: {which}{text}")
    return {
        "quantize": applied.quantize,
        "calibration_method": applied.calibration.method,
        "narrow_channels": {
            name: [asdict(channel) for channel in found] for name, found in narrow.items()
        },
        **_layers(compare(before, after, inputs)),
        "classes": _classes(before, outputs, dataset),
        "calibration_sizes": sizes,
    }


def narrow_channels(model: bytes, inputs: Tensors) -> dict[str, list[channels.Channel]]:
    """Return the channels of each of the network's inputs that get few steps of its integers.

    Args:
        model: .tflite.
        inputs: float32, preprocessed.
    """
    import numpy as np

    details = open_graph(model).get_input_details()
    found = {}
    for (name, array), source in zip(inputs.arrays.items(), details, strict=True):
        values = array.reshape(-1, array.shape[-1]).astype(np.float64)
        scale, _ = source["quantization"]
        found[name] = channels.narrow(values.min(axis=0), values.max(axis=0), float(scale))
    return found


def _layers(comparison: Comparison) -> dict[str, object]:
    return {
        "samples": comparison.samples,
        "float_layers": comparison.float_layers,
        "quantized_layers": comparison.quantized_layers,
        "inputs": [asdict(error) for error in comparison.inputs],
        "layers": [asdict(error) for error in comparison.errors],
        "hurts_below_db": HURTS_BELOW_DB,
        "hurting": [error.name for error in comparison.hurting()],
    }


def _classes(
    float_model: bytes, quantized: "NDArray[np.float32]", dataset: DatasetView
) -> dict[str, object] | None:
    """Return what changed for each class; None where the task decides for no classes."""
    task, labels = task_of(dataset.facts), dataset.facts.labels
    inputs, truth = dataset.tensors("test"), dataset.truth("test")
    outputs = {"baseline": host_outputs(float_model, inputs), "recipe": quantized}
    decided = task.decisions(outputs, inputs.first, truth)
    if task.confusion(decided["baseline"], truth, labels) is None:
        return None
    compared = compare_classes(decided["baseline"], decided["recipe"], truth, len(labels))
    return {"labels": labels, **compared}
