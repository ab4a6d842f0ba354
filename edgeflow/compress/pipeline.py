"""A recipe, stage by stage: train on what it asks for, then convert."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeflow.artifact.manifest import read_manifest, verify_files
from edgeflow.compress.integer import require_integer
from edgeflow.compress.network import Network, load_model
from edgeflow.compress.options import CompressOptions
from edgeflow.compress.source import FLATBUFFER_FILE, GRAPH_FILE, FloatModel, Source, open_source
from edgeflow.config.recipe import CALIBRATED, INT8, Recipe, Tuning
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
        made = _passed_on(name, folder, options.recipe, manifest.facts["quantized"])
    elif MODEL_FILE in manifest.files:
        made = _from_network(name, dataset, folder, teachers, options)
    else:
        made = _from_file(name, dataset, folder, options.recipe)
    (out / "float.tflite").write_bytes(made.float_model)
    (out / "model.tflite").write_bytes(made.model)
    return {"recipe": made.recipe.model_dump(mode="json"), "parameters": made.parameters}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Made:
    """The network as .tflite before and after quantization, and the recipe that it went through."""

    float_model: bytes
    model: bytes
    recipe: Recipe
    parameters: int | None


def _from_network(
    name: str,
    dataset: DatasetView,
    folder: Path,
    teachers: dict[str, Path],
    options: CompressOptions,
) -> _Made:
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
    float_model = _convert(name, FloatModel(network.model), dataset, Recipe())
    parameters = int(network.model.count_params())
    if qat is not None:
        network = _trained_on(network, recipe, {"qat": qat})
    result = _quantized(name, FloatModel(network.model), dataset, recipe, float_model)
    return _Made(float_model=float_model, model=result, recipe=recipe, parameters=parameters)


def _from_file(name: str, dataset: DatasetView, folder: Path, recipe: Recipe) -> _Made:
    """Convert a model that came from a file and has no layers to train."""
    if recipe.stages():
        raise TrainingError(
            f"{name}: the model came from a file that cannot be trained on, and the recipe "
            f"trains: {', '.join(recipe.stages())}",
            hint="bring the model as a .h5 or .keras file of Keras 2, or only quantize it",
        )
    manifest = read_manifest(folder / "manifest.json")
    file = GRAPH_FILE if GRAPH_FILE in manifest.files else FLATBUFFER_FILE
    verify_files(folder / "manifest.json", [file])
    source = open_source(folder / file)
    float_model = _convert(name, source, dataset, Recipe())
    result = _quantized(name, source, dataset, recipe, float_model)
    parameters = manifest.facts["parameters"]
    return _Made(float_model=float_model, model=result, recipe=recipe, parameters=parameters)


def _passed_on(name: str, folder: Path, recipe: Recipe, given: dict[str, str]) -> _Made:
    """Hand on a .tflite that was quantized before it came here; there is no float network."""
    if recipe != Recipe():
        raise CompileError(
            f"{name}: the model is quantized already ({given['quantize']})",
            hint="use an empty recipe, `{}`, or bring the float model",
        )
    verify_files(folder / "manifest.json", [FLATBUFFER_FILE])
    model = (folder / FLATBUFFER_FILE).read_bytes()
    applied = Recipe.model_validate(given)
    return _Made(float_model=model, model=model, recipe=applied, parameters=None)


def _quantized(
    name: str, source: Source, dataset: DatasetView, recipe: Recipe, float_model: bytes
) -> bytes:
    if recipe.quantize == "none":
        return float_model
    flatbuffer = _convert(name, source, dataset, recipe)
    if recipe.quantize in INT8 and recipe.keep_float is None:
        require_integer(name, flatbuffer)
    return flatbuffer


def _trained_on(network: Network, recipe: Recipe, stages: Mapping[str, Tuning]) -> Network:
    for name, stage in stages.items():
        technique = importlib.import_module(f"edgeflow.compress.{name}")
        network = technique.apply(network, stage, recipe)
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
