"""A recipe, stage by stage: train on what it asks for, then convert."""

import importlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edgeflow.artifact.manifest import verify_files
from edgeflow.compress.integer import require_integer
from edgeflow.compress.network import Network
from edgeflow.compress.options import CompressOptions
from edgeflow.compress.source import FloatModel
from edgeflow.compress.stage import open_network, tuned
from edgeflow.config.recipe import CALIBRATED, INT8, Recipe
from edgeflow.dataset.view import DatasetView
from edgeflow.errors import CompileError, EdgeflowError
from edgeflow.train.build import MODEL_FILE

FROM_FLOAT_TFLITE = "edgeflow.compress.ptq.build"


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
    with tempfile.TemporaryDirectory(dir=out) as scratch:
        last = tuned(name, dataset, folder, teachers, options, Path(scratch))
        network = open_network(name, dataset, last, teachers, options)
    float_flatbuffer = _convert(name, network, Recipe())
    parameters = int(network.model.count_params())
    if recipe.quantize == "qat-int8":
        network = importlib.import_module("edgeflow.compress.qat").apply(network, recipe)
    flatbuffer, facts = _quantize(name, network, float_flatbuffer, recipe)
    if recipe.quantize in INT8 and recipe.keep_float is None:
        require_integer(name, flatbuffer)
    (out / "float.tflite").write_bytes(float_flatbuffer)
    (out / "model.tflite").write_bytes(flatbuffer)
    return {"recipe": recipe.model_dump(mode="json"), "parameters": parameters, **facts}


def _quantize(
    name: str, network: Network, float_flatbuffer: bytes, recipe: Recipe
) -> tuple[bytes, dict[str, object]]:
    """Return the recipe's model, and facts of how it came about."""
    if recipe.quantize == "none":
        return float_flatbuffer, {}
    if not recipe.from_float_tflite():
        return _convert(name, network, recipe), {}
    convert = importlib.import_module(FROM_FLOAT_TFLITE).convert
    with _converting(name, recipe.quantize):
        flatbuffer, facts = convert(float_flatbuffer, recipe, network.dataset)
    return flatbuffer, facts


def _convert(name: str, network: Network, recipe: Recipe) -> bytes:
    quantize = recipe.quantize
    technique = importlib.import_module(f"edgeflow.compress.quantize.{quantize.replace('-', '_')}")
    inputs = network.dataset.inputs
    with _converting(name, quantize):
        calibration: Any = inputs("calibration") if quantize in CALIBRATED else None
        flatbuffer: bytes = technique.convert(FloatModel(network.model), recipe, calibration)
    return flatbuffer


@contextmanager
def _converting(name: str, quantize: str) -> Iterator[None]:
    try:
        yield
    except EdgeflowError:
        raise
    except Exception as error:  # TensorFlow's converter raises many kinds, all with one meaning
        raise CompileError(
            f"{name} cannot be converted with quantize: {quantize}: {_first_line(error)}",
            hint="an operator may have no kernel of that type; try `quantize: none` to tell",
        ) from error


def _first_line(error: Exception) -> str:
    lines = (line.strip() for line in str(error).splitlines())
    return next(filter(None, lines), type(error).__name__)
