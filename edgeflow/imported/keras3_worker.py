"""Exports a model of Keras 3: a worker, as a process has either Keras 2 or 3."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgeflow.dataset.tensors import OUTPUT, listed, numbered
from edgeflow.errors import CompileError
from edgeflow.imported.exchange import read_samples, write_outputs
from edgeflow.imported.keras_graph import CODE_HINT, selected
from edgeflow.imported.shapes import bound, told


def work(job: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Write a SavedModel and the model's outputs for some samples.

    Args:
        job: ``source`` (the .keras or .h5 file), ``dataset`` (names of its inputs), ``input`` and
            ``output`` (names, see `Request`).
        folder: holds samples, see `exchange`; gets saved_model/ and outputs.

    Raises:
        CompileError: the file cannot be loaded, or does not fit.
    """
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import keras

    samples = read_samples(job["dataset"], folder)
    try:
        loaded = keras.saving.load_model(job["source"], compile=False, safe_mode=True)
    except Exception as error:  # Keras raises many kinds, all with one meaning
        raise CompileError(str(error).strip()[:500], hint=CODE_HINT) from error
    model, names = selected(keras, loaded, job["dataset"], job["input"], job["output"])
    pairs = zip(model.inputs, samples.arrays.values(), strict=True)
    fed = [_fitted(tensor, array) for tensor, array in pairs]
    x = fed[0] if len(fed) == 1 else fed
    write_outputs(listed(model.predict(x, batch_size=1, verbose=0)), folder)
    keys = numbered(OUTPUT, len(names))
    if len(names) > 1:  # an export names the outputs of a list itself
        model = keras.Model(model.inputs, dict(zip(keys, model.outputs, strict=True)))
    model.export(folder / "saved_model", format="tf_saved_model", verbose=False)
    inputs = [tensor.name for tensor in model.inputs]
    return {"outputs": names, "keys": keys, "inputs": inputs}


def _fitted(tensor: Any, samples: Any) -> Any:
    """Return samples in the shape and dtype of an input."""
    declared = tuple(tensor.shape[1:])
    sizes = bound(declared, samples.shape[1:])
    if sizes is None:
        raise CompileError(
            f"it takes samples of shape {told(declared)}, its dataset has {samples.shape[1:]}",
            hint="export the model for samples of that size, or give it another dataset",
        )
    return samples.reshape(len(samples), *sizes).astype(tensor.dtype)
