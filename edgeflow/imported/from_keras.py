"""Imports .keras and .h5 files: as they are from Keras 2, as a graph from Keras 3."""

import warnings
from pathlib import Path
from typing import Any

from edgeflow.config.modelfile import keras_version
from edgeflow.dataset.view import DatasetFacts
from edgeflow.errors import CompileError
from edgeflow.imported.conversion import convert
from edgeflow.imported.ends import Inputs, Outputs, judged_first, reordered
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
    from edgeflow.train.loop import predictions

    keras = load_keras(seed=0)
    model, names, wanted = fitted(
        keras, request.source, request.facts, request.input, request.output
    )
    first, *others = model.outputs
    if tuple(first.shape[1:]) != wanted:
        model = keras.Model(model.inputs, [keras.layers.Reshape(wanted)(first), *others])
    with warnings.catch_warnings(action="ignore"):  # h5 is "legacy", but has no time stamps
        model.save(out / MODEL_FILE, include_optimizer=False, save_format="h5")
    return Imported(
        predict=lambda inputs: predictions(model, inputs),
        outputs=names,
        parameters=int(model.count_params()),
    )


def fitted(
    keras: Any, source: Path, facts: DatasetFacts, given: Inputs, wanted: Outputs
) -> tuple[Any, list[str], tuple[int, ...]]:
    """Return a file's model for a dataset, its outputs' names, and the shape of the first.

    Args:
        keras: tf_keras.
        source: the file.
        facts: of the dataset.
        given: names of inputs, see `Request`.
        wanted: names of outputs, see `Request`.

    Raises:
        CompileError: it cannot be loaded, or does not fit.
    """
    model, names = selected(keras, open_keras(keras, source), list(facts.inputs), given, wanted)
    model = resized(keras, model, facts)
    shapes = [tensor.shape[1:] for tensor in model.outputs]
    order = judged_first(names, shapes, wanted, facts)
    if order != sorted(order):
        model = keras.Model(model.inputs, reordered(model.outputs, order))
    return model, reordered(names, order), fit_output(shapes[order[0]], facts)


def open_keras(keras: Any, source: Path) -> Any:
    """Load a model, but no code: what a Lambda layer holds is not run.

    Raises:
        CompileError: it cannot be loaded so.
    """
    from tf_keras.src.saving.serialization_lib import SafeModeScope

    try:
        with SafeModeScope(True):  # .h5 files do not heed the argument
            return keras.models.load_model(source, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises many kinds, all with one meaning
        message = f"{source} cannot be loaded: {str(error).strip()[:500]}"
        raise CompileError(message, hint=CODE_HINT) from error
