"""Model files as .tflite, made without a dataset: only sizes and operators are asked for."""

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgeflow.compress.source import FLATBUFFER_FILE
from edgeflow.config.modelfile import keras_version, kind_of
from edgeflow.config.onnxfile import read_onnx
from edgeflow.config.recipe import Recipe
from edgeflow.dataset.tensors import INPUT, Tensors
from edgeflow.errors import CompileError
from edgeflow.imported.exchange import write_samples
from edgeflow.worker import run_worker

WITHOUT_DATA = ("none", "fp16", "dynamic")
"""Values of `quantize` that need no calibration set and no training."""
HINT = "export it in another form, or import it with a dataset"
_WORKER = "edgeflow.inspection.float_worker"


@dataclass(frozen=True, kw_only=True, slots=True)
class Converted:
    """What a conversion made.

    Attributes:
        path: the .tflite.
        refusals: why stages of recipes cannot take the network, by name of the recipe.
    """

    path: Path
    refusals: Mapping[str, str] = field(default_factory=dict)


def as_tflite(
    source: Path,
    folder: Path,
    quantize: str = "none",
    recipes: Mapping[str, Recipe] | None = None,
) -> Converted:
    """Return a model file as .tflite.

    Args:
        source: a file of Keras or ONNX, or the folder of a SavedModel.
        folder: for what is made.
        quantize: one of `WITHOUT_DATA`.
        recipes: to hold against a network of Keras 2, by name.

    Raises:
        CompileError: it cannot be loaded or converted.
    """
    made, keras = source.absolute(), kind_of(source) == "keras"
    if keras and keras_version(source) >= 3:
        made, keras = _exported(source, _keras_3_inputs(source), "keras3_worker", folder), False
    elif kind_of(source) == "onnx":
        made = _exported(source, _onnx_inputs(source), "onnx_worker", folder)
    dumped = {name: one.model_dump(mode="json") for name, one in (recipes or {}).items()}
    job = {"source": str(made), "keras": keras, "quantize": quantize, "recipes": dumped}
    answer = run_worker(_WORKER, job, folder, title=str(source), hint=HINT)
    return Converted(path=folder / FLATBUFFER_FILE, refusals=answer["refusals"])


def _exported(
    source: Path, inputs: Mapping[str, tuple[int, ...]], worker: str, folder: Path
) -> Path:
    """Return the SavedModel that an importer's worker makes of a file."""
    import numpy as np

    names = [INPUT] if len(inputs) == 1 else list(inputs)
    rng = np.random.default_rng(0)
    shapes = zip(names, inputs.values(), strict=True)
    samples = {name: rng.random((1, *shape), np.float32) for name, shape in shapes}
    write_samples(Tensors(samples), folder)
    job = {"source": str(source.absolute()), "dataset": names, "input": None, "output": None}
    run_worker(f"edgeflow.imported.{worker}", job, folder, title=str(source), hint=HINT)
    return folder / "saved_model"


def _onnx_inputs(source: Path) -> dict[str, tuple[int, ...]]:
    """Return the shape of a sample of each input, channels last."""
    model = read_onnx(source)
    if model is None:
        raise CompileError(f"{source} is no ONNX model, or damaged", hint="export it again")
    weights = {tensor.name for tensor in model.graph.initializer}
    found = {}
    for value in model.graph.input:
        if value.name not in weights:
            dims = value.type.tensor_type.shape.dim
            sizes = tuple(dim.dim_value for dim in dims)[1:]
            _require_known(source, value.name, sizes)
            first = len(sizes) == 3 and sizes[0] < sizes[2]
            found[value.name] = (*sizes[1:], sizes[0]) if first else sizes
    return found


def _keras_3_inputs(source: Path) -> dict[str, tuple[int, ...]]:
    """Return the shape of a sample of each input of a file of Keras 3."""
    found = {}
    for layer in _layers(_config(source)):
        config = layer.get("config", {})
        if layer.get("class_name") == "InputLayer":
            sizes = tuple(size or 0 for size in config.get("batch_shape", ())[1:])
            _require_known(source, str(config.get("name")), sizes)
            found[str(config.get("name"))] = sizes
    if not found:
        raise CompileError(f"{source} does not say the shape of its inputs", hint=HINT)
    return found


def _config(source: Path) -> Any:
    try:
        if zipfile.is_zipfile(source):
            with zipfile.ZipFile(source) as archive:
                return json.loads(archive.read("config.json"))
        import h5py

        with h5py.File(source) as file:
            return json.loads(file.attrs["model_config"])
    except (OSError, KeyError, ValueError) as error:
        raise CompileError(f"{source} cannot be read: {error}", hint="save it again") from error


def _layers(config: Any) -> list[Any]:
    layers = config.get("config", {}).get("layers", []) if isinstance(config, dict) else []
    return [layer for layer in layers if isinstance(layer, dict)]


def _require_known(source: Path, name: str, sizes: tuple[int, ...]) -> None:
    if not sizes or not all(sizes):
        raise CompileError(f"{source}: its input {name!r} has a free size", hint=HINT)
