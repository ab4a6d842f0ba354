"""Imports SavedModels, as frozen graphs."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeflow.compress.source import GRAPH_FILE, GraphModel
from edgeflow.errors import CompileError
from edgeflow.imported.freeze import frozen
from edgeflow.imported.model import (
    Imported,
    Request,
    chosen,
    fit_input,
    fit_output,
    require_same,
)

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
    loaded = _open(request.source)  # its variables live as long as it does
    signature = _signature(loaded)
    served = _served(signature, request)
    outputs = _outputs(served, request.samples())
    wanted = fit_output(outputs.shape[1:], request.facts)
    shape = (1, *request.facts.input_shape)
    plain = outputs.shape[1:] == wanted
    graph = frozen(served if plain else lambda x: tf.reshape(served(x), (1, *wanted)), shape)
    (out / GRAPH_FILE).write_bytes(graph)
    model = GraphModel(graph)
    require_same(outputs, _outputs(model.function, request.samples()))
    parameters = sum(variable.shape.num_elements() for variable in signature.variables)
    return Imported(predict=lambda x: _outputs(model.function, x), parameters=parameters or None)


def _open(source: Path) -> Any:
    import tensorflow as tf

    try:
        return tf.saved_model.load(source)
    except Exception as error:  # TensorFlow raises many kinds, all with one meaning
        raise CompileError(
            f"{source} cannot be loaded: {str(error).strip()[:500]}",
            hint="export it again, with `tf.saved_model.save` or Keras' `model.export`",
        ) from error


def _signature(loaded: Any) -> Any:
    """Return the function to serve."""
    signatures = loaded.signatures
    if SERVING not in signatures:
        raise CompileError(
            f"it has no signature {SERVING!r}, only: {', '.join(signatures) or 'none'}",
            hint="export it with a signature, as Keras' `model.export` does",
        )
    return signatures[SERVING]


def _served(signature: Any, request: Request) -> Any:
    """Return a function from one sample, (1, *input_shape), to the chosen output, both float32."""
    import tensorflow as tf

    key, given = _input(signature, request.input)
    output = chosen("output", sorted(signature.structured_outputs), request.output)
    sample, sizes = request.facts.input_shape, fit_input(given.shape.as_list()[1:], request.facts)

    def served(x: Any) -> Any:
        x = x if list(sizes) == sample else tf.reshape(x, (1, *sizes))
        x = x if given.dtype == tf.float32 else tf.cast(x, given.dtype)
        y = signature(**{key: x})[output]
        return y if y.dtype == tf.float32 else tf.cast(y, tf.float32)

    return served


def _input(signature: Any, name: str | None) -> tuple[str, Any]:
    """Return name and specification of the one input."""
    inputs = signature.structured_input_signature[1]
    key = chosen("input", sorted(inputs), name or next(iter(sorted(inputs)), None))
    others = ", ".join(repr(other) for other in sorted(inputs) if other != key)
    given = inputs[key]
    if others:
        raise CompileError(
            f"its signature needs the inputs {others} beside {key!r}",
            hint="one input is fed, the sample: export a signature that takes nothing else",
        )
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
    return key, given


def _outputs(function: Any, x: "NDArray[np.float32]") -> "NDArray[np.float32]":
    """Return a function's outputs for samples, one by one."""
    import numpy as np
    import tensorflow as tf

    try:
        rows = [function(tf.constant(sample[None])).numpy() for sample in x]
    except tf.errors.OpError as error:
        raise CompileError(
            f"TensorFlow cannot run it for samples of shape {x.shape[1:]}: {error.message[:500]}",
            hint="export the model for samples of that size and a batch of 1",
        ) from error
    return np.concatenate(rows)
