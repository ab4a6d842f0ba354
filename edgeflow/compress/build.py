"""The compress step: float model and recipe to model.tflite."""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeflow.artifact.manifest import Manifest, verify_files
from edgeflow.artifact.step import StepSpec, run_step
from edgeflow.compress.evaluate import host_outputs
from edgeflow.compress.source import FloatModel
from edgeflow.config.recipe import CALIBRATED, Recipe
from edgeflow.dataset.view import DatasetView, open_dataset, part_files, parts_to_quantize
from edgeflow.errors import CompileError
from edgeflow.train.build import MODEL_FILE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TOOLS = ("tensorflow", "tf-keras", "numpy", "ai-edge-litert")


def compress_model(
    name: str, dataset: Path, model: Path, options: Mapping[str, Any], code: str, out: Path
) -> Manifest:
    """Apply one recipe to a trained model.

    Args:
        name: model and recipe, for messages.
        dataset: folder of the model's dataset.
        model: folder of the trained model.
        options: JSON form of a recipe.
        code: fingerprint of the step.
        out: folder for model.tflite (the recipe's result), float.tflite (the same network before
            quantization), logits.npy (float32, host reference on the test set), manifest.json.

    Raises:
        CompileError: the converter rejects the network.
        IntegrityError: an input is not what its manifest says.
    """
    recipe = Recipe.model_validate(dict(options))
    spec = StepSpec(
        step="compress",
        name=name,
        inputs={
            "dataset": part_files(dataset, parts_to_quantize(recipe.quantize)),
            "model": model / "manifest.json",
        },
        options=recipe.model_dump(mode="json"),
        code=code,
        tools=TOOLS,
    )
    return run_step(spec, out, lambda folder: _compress(name, dataset, model, recipe, folder))


def _compress(name: str, folder: Path, model: Path, recipe: Recipe, out: Path) -> dict[str, object]:
    import numpy as np

    dataset = open_dataset(folder, parts_to_quantize(recipe.quantize))
    verify_files(model / "manifest.json", [MODEL_FILE])
    source = FloatModel(model / MODEL_FILE)
    float_flatbuffer = _convert(name, source, "none", dataset)
    flatbuffer = (
        float_flatbuffer
        if recipe.quantize == "none"
        else _convert(name, source, recipe.quantize, dataset)
    )
    (out / "float.tflite").write_bytes(float_flatbuffer)
    (out / "model.tflite").write_bytes(flatbuffer)
    logits = _reference(name, flatbuffer, dataset)
    np.save(out / "logits.npy", logits)
    accuracy = float((logits.argmax(axis=1) == dataset.labels("test")).mean())
    return {"accuracy_test": accuracy, "size_bytes": len(flatbuffer)}


def _reference(name: str, flatbuffer: bytes, dataset: DatasetView) -> "NDArray[np.float32]":
    try:
        return host_outputs(flatbuffer, dataset.inputs("test"))
    except RuntimeError as error:
        raise CompileError(
            f"LiteRT cannot run what the converter made of {name}: {_first_line(error)}",
            hint="look for extreme weights or samples; try `quantize: none` to tell",
        ) from error


def _convert(name: str, source: FloatModel, quantize: str, dataset: DatasetView) -> bytes:
    technique = importlib.import_module(f"edgeflow.compress.quantize.{quantize.replace('-', '_')}")
    try:
        calibration = dataset.inputs("calibration") if quantize in CALIBRATED else None
        flatbuffer: bytes = technique.convert(source, calibration)
    except Exception as error:  # TensorFlow's converter raises many kinds, all with one meaning
        raise CompileError(
            f"{name} cannot be converted with quantize: {quantize}: {_first_line(error)}",
            hint="an operator may have no kernel of that type; try `quantize: none` to tell",
        ) from error
    return flatbuffer


def _first_line(error: Exception) -> str:
    lines = (line.strip() for line in str(error).splitlines())
    return next(filter(None, lines), type(error).__name__)
