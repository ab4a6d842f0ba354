"""Exports a model of Keras 3: a worker, as a process has either Keras 2 or 3."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgeflow.errors import CompileError
from edgeflow.imported.keras_graph import CODE_HINT, selected
from edgeflow.imported.shapes import bound, told


def work(job: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Write a SavedModel and the model's outputs for some samples.

    Args:
        job: ``source`` (the .keras or .h5 file), ``input`` and ``output`` (names, or None).
        folder: holds samples.npy, float32 (n, *input_shape); gets saved_model/ and outputs.npy.

    Raises:
        CompileError: the file cannot be loaded, or does not fit.
    """
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import keras
    import numpy as np

    samples = np.load(folder / "samples.npy")
    try:
        loaded = keras.saving.load_model(job["source"], compile=False, safe_mode=True)
    except Exception as error:  # Keras raises many kinds, all with one meaning
        raise CompileError(str(error).strip()[:500], hint=CODE_HINT) from error
    model = selected(keras, loaded, job["input"], job["output"])
    declared = tuple(model.inputs[0].shape[1:])
    sizes = bound(declared, samples.shape[1:])
    if sizes is None:
        raise CompileError(
            f"it takes samples of shape {told(declared)}, its dataset has {samples.shape[1:]}",
            hint="export the model for samples of that size, or give it another dataset",
        )
    x = samples.reshape(len(samples), *sizes).astype(model.inputs[0].dtype)
    np.save(folder / "outputs.npy", model.predict(x, batch_size=1, verbose=0))
    model.export(folder / "saved_model", format="tf_saved_model", verbose=False)
    return {}
