"""Imports SavedModels, as frozen graphs."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeflow.compress.source import GRAPH_FILE, GraphModel
from edgeflow.dataset.view import DatasetView
from edgeflow.errors import CompileError
from edgeflow.imported.freeze import frozen
from edgeflow.imported.model import Imported, require_fit, require_single

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SERVING = "serving_default"


def load(name: str, source: Path, dataset: DatasetView, out: Path) -> Imported:
    """Write graph.pb.

    Raises:
        CompileError: the folder holds no model for inference, or one that does not fit.
    """
    from edgeflow.train.keras import load_keras

    load_keras(seed=0)  # TensorFlow, made quiet and deterministic
    loaded = _open(name, source)  # its variables live as long as it does
    signature = _signature(name, loaded)
    ((key, given),), outputs = signature.structured_input_signature[1].items(), _outputs(signature)
    require_fit(name, given.shape.as_list(), outputs[0].shape.as_list(), dataset.facts)
    if given.shape[0] not in (None, 1):
        raise CompileError(
            f"{name} takes {given.shape[0]} samples at once",
            hint="export the model with a batch of None or 1",
        )
    graph = frozen(lambda x: next(iter(signature(**{key: x}).values())), (1, *given.shape[1:]))
    (out / GRAPH_FILE).write_bytes(graph)
    model = GraphModel(graph)
    parameters = sum(variable.shape.num_elements() for variable in signature.variables)
    return Imported(predict=lambda x: _predict(model, x), parameters=parameters or None)


def _open(name: str, source: Path) -> Any:
    import tensorflow as tf

    try:
        return tf.saved_model.load(source)
    except Exception as error:  # TensorFlow raises many kinds, all with one meaning
        raise CompileError(
            f"{name}: {source} cannot be loaded: {str(error).strip()[:500]}",
            hint="export it again, with `tf.saved_model.save` or Keras' `model.export`",
        ) from error


def _signature(name: str, loaded: Any) -> Any:
    """Return the function to serve: one float32 tensor in, one out."""
    signatures = loaded.signatures
    if SERVING not in signatures:
        raise CompileError(
            f"{name} has no signature {SERVING!r}, only: {', '.join(signatures) or 'none'}",
            hint="export it with a signature, as Keras' `model.export` does",
        )
    signature = signatures[SERVING]
    inputs = signature.structured_input_signature[1].values()
    require_single(name, len(inputs), len(_outputs(signature)))
    wrong = [tensor for tensor in (*inputs, *_outputs(signature)) if tensor.dtype != "float32"]
    if wrong or any(tensor.shape.rank is None for tensor in inputs):
        raise CompileError(
            f"{name} takes and gives other tensors than float32 of a known shape",
            hint="export it with a float32 input of fixed height, width and channels",
        )
    return signature


def _outputs(signature: Any) -> list[Any]:
    return list(signature.structured_outputs.values())


def _predict(model: GraphModel, x: "NDArray[np.float32]") -> "NDArray[np.float32]":
    import numpy as np
    import tensorflow as tf

    return np.concatenate([model.function(tf.constant(sample[None])).numpy() for sample in x])
