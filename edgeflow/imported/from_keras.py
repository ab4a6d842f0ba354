"""Imports .keras and .h5 files: as they are from Keras 2, as a graph from Keras 3."""

import warnings
from pathlib import Path
from typing import Any

from edgeflow.config.modelfile import keras_version
from edgeflow.dataset.view import DatasetFacts
from edgeflow.errors import CompileError
from edgeflow.imported.conversion import convert
from edgeflow.imported.keras_graph import CODE_HINT, resized, selected
from edgeflow.imported.model import Imported, Request, fit_output
from edgeflow.train.build import MODEL_FILE


def load(request: Request, out: Path) -> Imported:
    """Write model.h5 (Keras 2) or graph.pb (Keras 3).

    Raises:
        CompileError: the file holds no model, code of its own, or one that does not fit.
    """
    if keras_version(request.source) >= 3:
        return convert("edgeflow.imported.keras3_worker", request, out, CODE_HINT)
    from edgeflow.train.keras import load_keras
    from edgeflow.train.loop import predict

    keras = load_keras(seed=0)
    model, wanted = fitted(keras, request.source, request.facts, request.input, request.output)
    if model.output_shape[1:] != wanted:
        model = keras.Model(model.inputs, keras.layers.Reshape(wanted)(model.output))
    with warnings.catch_warnings(action="ignore"):  # h5 is "legacy", but has no time stamps
        model.save(out / MODEL_FILE, include_optimizer=False, save_format="h5")
    return Imported(predict=lambda x: predict(model, x), parameters=int(model.count_params()))


def fitted(
    keras: Any, source: Path, facts: DatasetFacts, given: str | None, wanted: str | None
) -> tuple[Any, tuple[int, ...]]:
    """Return a file's model for a dataset, and the shape that its output should have.

    Args:
        keras: tf_keras.
        source: the file.
        facts: of the dataset.
        given: name of the input; None where there is one.
        wanted: name of the output; None where there is one.

    Raises:
        CompileError: it cannot be loaded, or does not fit.
    """
    model = resized(keras, selected(keras, _open(keras, source), given, wanted), facts)
    return model, fit_output(model.output_shape[1:], facts)


def _open(keras: Any, source: Path) -> Any:
    """Load a model, but no code: what a Lambda layer holds is not run."""
    from tf_keras.src.saving.serialization_lib import SafeModeScope

    try:
        with SafeModeScope(True):  # .h5 files do not heed the argument
            return keras.models.load_model(source, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises many kinds, all with one meaning
        message = f"{source} cannot be loaded: {str(error).strip()[:500]}"
        raise CompileError(message, hint=CODE_HINT) from error
