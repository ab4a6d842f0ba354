"""A recipe, stage by stage: train on what it asks for, then convert."""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgeflow.artifact.manifest import verify_files
from edgeflow.compress.integer import require_integer
from edgeflow.compress.network import Network, load_model
from edgeflow.compress.options import CompressOptions
from edgeflow.compress.source import FloatModel
from edgeflow.config.recipe import CALIBRATED, INT8, Recipe, Tuning
from edgeflow.dataset.view import DatasetView
from edgeflow.errors import CompileError
from edgeflow.train.build import MODEL_FILE


def run(
    name: str,
    dataset: DatasetView,
    folder: Path,
    teachers: dict[str, Path],
    options: CompressOptions,
    out: Path,
) -> dict[str, object]:
    """Write model.tflite and float.tflite; return the manifest's facts.

    Args:
        name: model and recipe, for messages.
        dataset: with the parts that the recipe reads.
        folder: of the trained model.
        teachers: folders of trained models, by name.
        options: the recipe and its training settings.
        out: folder to write into.
    """
    recipe = options.recipe
    for path in (folder, *teachers.values()):
        verify_files(path / "manifest.json", [MODEL_FILE])
    keras, model = load_model(folder, options.train)
    network = Network(
        keras=keras,
        model=model,
        dataset=dataset,
        train=options.train,
        teachers=teachers,
        title=name,
    )
    stages = recipe.stages()
    qat = stages.pop("qat", None)
    network = _trained_on(network, recipe, stages)
    float_flatbuffer = _convert(name, network, Recipe())
    parameters = int(network.model.count_params())
    if qat is not None:
        network = _trained_on(network, recipe, {"qat": qat})
    flatbuffer = float_flatbuffer if recipe.quantize == "none" else _convert(name, network, recipe)
    if recipe.quantize in INT8 and recipe.keep_float is None:
        require_integer(name, flatbuffer)
    (out / "float.tflite").write_bytes(float_flatbuffer)
    (out / "model.tflite").write_bytes(flatbuffer)
    return {"recipe": recipe.model_dump(mode="json"), "parameters": parameters}


def _trained_on(network: Network, recipe: Recipe, stages: Mapping[str, Tuning]) -> Network:
    for name, stage in stages.items():
        technique = importlib.import_module(f"edgeflow.compress.{name}")
        network = technique.apply(network, stage, recipe)
    return network


def _convert(name: str, network: Network, recipe: Recipe) -> bytes:
    quantize = recipe.quantize
    technique = importlib.import_module(f"edgeflow.compress.quantize.{quantize.replace('-', '_')}")
    inputs = network.dataset.inputs
    try:
        calibration: Any = inputs("calibration") if quantize in CALIBRATED else None
        flatbuffer: bytes = technique.convert(FloatModel(network.model), recipe, calibration)
    except Exception as error:  # TensorFlow's converter raises many kinds, all with one meaning
        raise CompileError(
            f"{name} cannot be converted with quantize: {quantize}: {_first_line(error)}",
            hint="an operator may have no kernel of that type; try `quantize: none` to tell",
        ) from error
    return flatbuffer


def _first_line(error: Exception) -> str:
    lines = (line.strip() for line in str(error).splitlines())
    return next(filter(None, lines), type(error).__name__)
