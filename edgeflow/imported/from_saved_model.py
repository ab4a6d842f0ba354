"""Imports SavedModels, as frozen graphs."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeflow.compress.source import GRAPH_FILE, GraphModel
from edgeflow.dataset.tensors import Tensors
from edgeflow.errors import CompileError
from edgeflow.imported.ends import (
    chosen_inputs,
    chosen_outputs,
    judged_first,
    reordered,
    require_one_sample,
)
from edgeflow.imported.freeze import frozen
from edgeflow.imported.model import Imported, Request, fit_input, fit_output, require_same

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SERVING = "serving_default"


def load(request: Request, out: Path) -> Imported:
    """Write graph.pb.

    Raises:
        CompileError: the folder holds no model for inference, or one that does not fit.
    """
    import tensorflow as tf

    from edgeflow.train.keras import load_keras

    load_keras(seed=0)  # TensorFlow, made quiet and deterministic
    loaded = open_saved_model(request.source)  # its variables live as long as it does
    signature = serving_signature(loaded)
    keys = chosen_outputs(sorted(signature.structured_outputs), request.output)
    served = _served(signature, request, keys)
    outputs = run(served, keys, request.samples())
    order = judged_first(keys, [one.shape[1:] for one in outputs], request.output, request.facts)
    wanted = fit_output(outputs[order[0]].shape[1:], request.facts)

    def fitted(*samples: Any) -> list[Any]:
        first, *others = reordered(served(*samples), order)
        return [first if first.shape[1:] == wanted else tf.reshape(first, (1, *wanted)), *others]

    graph = frozen(fitted, [(1, *shape) for shape in request.facts.shapes])
    (out / GRAPH_FILE).write_bytes(graph)
    model, names = GraphModel(graph), reordered(keys, order)
    for one, made in zip(
        reordered(outputs, order), run(model.run, names, request.samples()), strict=True
    ):
        require_same(one, made)
    parameters = sum(variable.shape.num_elements() for variable in signature.variables)
    return Imported(
        predict=lambda inputs: run(model.run, names, inputs),
        outputs=names,
        parameters=parameters or None,
    )


def open_saved_model(source: Path) -> Any:
    """Load a SavedModel.

    Raises:
        CompileError: TensorFlow cannot.
    """
    import tensorflow as tf

    try:
        return tf.saved_model.load(source)
    except Exception as error:  # TensorFlow raises many kinds, all with one meaning
        raise CompileError(
            f"{source} cannot be loaded: {str(error).strip()[:500]}",
            hint="export it again, with `tf.saved_model.save` or Keras' `model.export`",
        ) from error


def serving_signature(loaded: Any) -> Any:
    """Return the function to serve.

    Raises:
        CompileError: there is none.
    """
    signatures = loaded.signatures
    if SERVING not in signatures:
        raise CompileError(
            f"it has no signature {SERVING!r}, only: {', '.join(signatures) or 'none'}",
            hint="export it with a signature, as Keras' `model.export` does",
        )
    return signatures[SERVING]


def _served(signature: Any, request: Request, keys: list[str]) -> Any:
    """Return a function from the dataset's inputs of one sample to the chosen outputs, float32."""
    import tensorflow as tf

    given = _inputs(signature, request)
    shapes = request.facts.shapes
    sizes = {
        key: fit_input(one.shape.as_list()[1:], shape)
        for (key, one), shape in zip(given.items(), shapes, strict=True)
    }

    def served(*samples: Any) -> list[Any]:
        fed = {}
        for (key, one), x in zip(given.items(), samples, strict=True):
            y = x if x.shape[1:] == sizes[key] else tf.reshape(x, (1, *sizes[key]))
            fed[key] = y if one.dtype == tf.float32 else tf.cast(y, one.dtype)
        found = signature(**fed)
        outputs = [found[key] for key in keys]
        return [y if y.dtype == tf.float32 else tf.cast(y, tf.float32) for y in outputs]

    return served


def _inputs(signature: Any, request: Request) -> dict[str, Any]:
    """Return name and specification of each input, in the order of the dataset's."""
    inputs = signature.structured_input_signature[1]
    names, wanted = sorted(inputs), request.input
    if len(request.facts.inputs) == 1 and wanted is None:
        wanted = next(iter(names), None)
    keys = chosen_inputs(names, wanted, list(request.facts.inputs))
    others = ", ".join(repr(other) for other in names if other not in keys)
    if others:
        raise CompileError(
            f"its signature needs the inputs {others} beside {' and '.join(map(repr, keys))}",
            hint="only inputs of the dataset are fed: export a signature that takes nothing else",
        )
    for key in keys:
        _require_samples(key, inputs[key])
    return {key: inputs[key] for key in keys}


def _require_samples(key: str, given: Any) -> None:
    """Refuse an input that takes no samples of numbers, one at a time."""
    if given.shape.rank is None or not (given.dtype.is_floating or given.dtype.is_integer):
        raise CompileError(
            f"input {key!r} is {given.dtype.name} of shape {given.shape}",
            hint="export it with an input of numbers, whose number of dimensions is known",
        )
    if given.shape[0] not in (None, 1):
        raise CompileError(
            f"it takes {given.shape[0]} samples at once",
            hint="export the model with a batch of None or 1",
        )


def run(function: Any, names: list[str], inputs: Tensors) -> "list[NDArray[np.float32]]":
    """Return a function's outputs for samples, which it gets one by one.

    Args:
        function: from tensors with a batch of 1 to a list of such.
        names: of its outputs, for messages.
        inputs: float32, preprocessed.
    """
    import numpy as np
    import tensorflow as tf

    rows = []
    try:
        for sample in inputs:
            rows.append([output.numpy() for output in function(*map(tf.constant, sample))])
            require_one_sample(names, [output.shape for output in rows[-1]])
    except tf.errors.OpError as error:
        shapes = " and ".join(str(array.shape[1:]) for array in inputs.arrays.values())
        raise CompileError(
            f"TensorFlow cannot run it for samples of shape {shapes}: {error.message[:500]}",
            hint="export the model for samples of that size and a batch of 1",
        ) from error
    return [np.concatenate(column) for column in zip(*rows, strict=True)]
