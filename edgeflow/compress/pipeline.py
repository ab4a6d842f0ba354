"""A recipe, stage by stage: train on what it asks for, then convert."""

import importlib
import shutil
from pathlib import Path
from typing import Any

from edgeflow.artifact.manifest import read_manifest, verify_files
from edgeflow.compress.integer import require_integer
from edgeflow.compress.network import Network, load_model
from edgeflow.compress.options import CompressOptions
from edgeflow.compress.source import FLATBUFFER_FILE, GRAPH_FILE, FloatModel, Source, open_source
from edgeflow.config.recipe import CALIBRATED, INT8, Recipe
from edgeflow.dataset.view import DatasetView
from edgeflow.errors import CompileError, TrainingError
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
    manifest = read_manifest(folder / "manifest.json")
    if manifest.facts.get("quantized"):
        return _passed_on(name, folder, options.recipe, manifest.facts["quantized"], out)
    recipe = options.recipe
    if MODEL_FILE in manifest.files:
        start, end, parameters = _networks(name, dataset, folder, teachers, options)
    else:
        start = end = _imported(name, folder, recipe)
        parameters = manifest.facts["parameters"]
    float_flatbuffer = _convert(name, start, dataset, Recipe())
    plain = recipe.quantize == "none"
    flatbuffer = float_flatbuffer if plain else _convert(name, end, dataset, recipe)
    if recipe.quantize in INT8 and recipe.keep_float is None:
        require_integer(name, flatbuffer)
    (out / "float.tflite").write_bytes(float_flatbuffer)
    (out / "model.tflite").write_bytes(flatbuffer)
    return {"recipe": recipe.model_dump(mode="json"), "parameters": parameters}


def _networks(
    name: str,
    dataset: DatasetView,
    folder: Path,
    teachers: dict[str, Path],
    options: CompressOptions,
) -> tuple[Source, Source, int]:
    """Return the trained-on network before and after `qat`, and its number of parameters."""
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
    recipe = options.recipe
    network = _trained_on(network, recipe, [stage for stage in recipe.stages() if stage != "qat"])
    start, parameters = FloatModel(network.model), int(network.model.count_params())
    if recipe.quantize != "qat-int8":
        return start, start, parameters
    return start, FloatModel(_trained_on(network, recipe, ["qat"]).model), parameters


def _imported(name: str, folder: Path, recipe: Recipe) -> Source:
    """Return a network that came from a file and has no layers to train."""
    if recipe.stages():
        raise TrainingError(
            f"{name}: the model came from a file that cannot be trained on, and the recipe "
            f"trains: {', '.join(recipe.stages())}",
            hint="bring the model as a .h5 or .keras file of Keras 2, or only quantize it",
        )
    files = read_manifest(folder / "manifest.json").files
    file = GRAPH_FILE if GRAPH_FILE in files else FLATBUFFER_FILE
    verify_files(folder / "manifest.json", [file])
    return open_source(folder / file)


def _passed_on(
    name: str, folder: Path, recipe: Recipe, quantized: dict[str, str], out: Path
) -> dict[str, object]:
    """Hand on a .tflite that was quantized before it came here; there is no float network."""
    if recipe != Recipe():
        raise CompileError(
            f"{name}: the model is quantized already ({quantized['quantize']})",
            hint="use an empty recipe, `{}`, or bring the float model",
        )
    verify_files(folder / "manifest.json", [FLATBUFFER_FILE])
    for file in ("float.tflite", "model.tflite"):
        shutil.copyfile(folder / FLATBUFFER_FILE, out / file)
    return {"recipe": Recipe.model_validate(quantized).model_dump(mode="json"), "parameters": None}


def _trained_on(network: Network, recipe: Recipe, stages: list[str]) -> Network:
    for stage in stages:
        network = importlib.import_module(f"edgeflow.compress.{stage}").apply(network, recipe)
    return network


def _convert(name: str, source: Source, dataset: DatasetView, recipe: Recipe) -> bytes:
    quantize = recipe.quantize
    technique = importlib.import_module(f"edgeflow.compress.quantize.{quantize.replace('-', '_')}")
    try:
        calibration: Any = dataset.inputs("calibration") if quantize in CALIBRATED else None
        flatbuffer: bytes = technique.convert(source, recipe, calibration)
    except Exception as error:  # TensorFlow's converter raises many kinds, all with one meaning
        raise CompileError(
            f"{name} cannot be converted with quantize: {quantize}: {_first_line(error)}",
            hint="an operator may have no kernel of that type; try `quantize: none` to tell",
        ) from error
    return flatbuffer


def _first_line(error: Exception) -> str:
    lines = (line.strip() for line in str(error).splitlines())
    return next(filter(None, lines), type(error).__name__)
