"""Converts models of TensorFlow to .tflite files without a dataset: a worker."""

import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgeflow.compress.source import FLATBUFFER_FILE, FloatModel, GraphModel, Source
from edgeflow.config.recipe import Recipe
from edgeflow.errors import CompileError

HINT = "export it with fixed sizes beside the batch, or import it with a dataset"


def work(job: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Write model.tflite, with a batch of 1.

    Args:
        job: ``source`` (a file of Keras 2, or the folder of a SavedModel), ``keras`` (whether it is
            the former), ``quantize`` (a technique that needs no data), and ``recipes``, in JSON
            form by name.
        folder: where to write it.

    Returns:
        ``refusals``: why stages of some of these recipes cannot take the network, by name.

    Raises:
        CompileError: it cannot be loaded or converted.
    """
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    from edgeflow.train.keras import load_keras

    keras, source = load_keras(seed=0), Path(job["source"])
    network, refusals = (_of_keras if job["keras"] else _of_saved_model)(keras, source, job)
    name = job["quantize"].replace("-", "_")
    technique = importlib.import_module(f"edgeflow.compress.quantize.{name}")
    try:
        made = technique.convert(network, Recipe(quantize=job["quantize"]), None)
    except Exception as error:  # TensorFlow's converter raises many kinds
        message = f"it cannot be converted: {str(error).strip()[:500]}"
        raise CompileError(message, hint=HINT) from error
    (folder / FLATBUFFER_FILE).write_bytes(made)
    return {"refusals": refusals}


def _of_keras(keras: Any, source: Path, job: Mapping[str, Any]) -> tuple[Source, dict[str, str]]:
    from edgeflow.compress.suits import refusals
    from edgeflow.imported.from_keras import open_keras

    model = open_keras(keras, source)
    for tensor in model.inputs or ():
        _require_sizes(tensor.name, tensor.shape)
    recipes = {name: Recipe.model_validate(one) for name, one in job["recipes"].items()}
    found = {name: error.message for name, error in refusals(keras, model, recipes)}
    return FloatModel(model), found


def _of_saved_model(
    keras: Any,  # noqa: ARG001
    source: Path,
    job: Mapping[str, Any],  # noqa: ARG001
) -> tuple[Source, dict[str, str]]:
    import tensorflow as tf

    from edgeflow.imported.freeze import frozen
    from edgeflow.imported.from_saved_model import open_saved_model, serving_signature

    loaded = open_saved_model(source)
    signature = serving_signature(loaded)
    inputs = dict(sorted(signature.structured_input_signature[1].items()))
    for name, one in inputs.items():
        _require_sizes(name, one.shape)
    keys = sorted(signature.structured_outputs)

    def served(*samples: Any) -> list[Any]:
        pairs = zip(inputs.items(), samples, strict=True)
        found = signature(**{name: tf.cast(x, one.dtype) for (name, one), x in pairs})
        return [tf.cast(found[key], tf.float32) for key in keys]

    shapes = [(1, *one.shape.as_list()[1:]) for one in inputs.values()]
    return GraphModel(frozen(served, shapes)), {}


def _require_sizes(name: str, shape: Any) -> None:
    if shape.rank is None or None in tuple(shape)[1:]:
        raise CompileError(f"its input {name!r} has a free size: {shape}", hint=HINT)
