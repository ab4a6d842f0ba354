"""A network in any of the forms that it takes on its way, as something to run."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgeflow.compress.debug.graph import layers, open_graph
from edgeflow.compress.evaluate import dequantized, every_output, fed, run
from edgeflow.dataset.tensors import Tensors, listed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float32]

NETWORK = "network"
"""A recipe's folder for the one file that its float.tflite was converted from."""

_WRAPPERS = ("quant_", "prune_low_magnitude_", "cluster_")
"""What tfmot puts before the name of a layer that it wraps."""


def _no_layers(_samples: Tensors) -> dict[str, "Array"]:
    return {}


@dataclass(frozen=True, slots=True)
class Form:
    """A network to run on samples.

    Attributes:
        outputs: returns the outputs by position, each float32 (n, *shape).
        layers: returns the output of each layer that can be told, by the name of the layer in
            Keras, in the order in which the layers run.
    """

    outputs: "Callable[[Tensors], list[Array]]"
    layers: "Callable[[Tensors], dict[str, Array]]" = _no_layers


def keras_form(model: Any) -> Form:
    """Return a Keras model, plain or wrapped by tfmot."""

    def outputs(samples: Tensors) -> "list[Array]":
        found = listed(model(samples.argument, training=False))
        return [output.numpy() for output in found]

    return Form(outputs, lambda samples: _keras_layers(model, samples))


def function_form(function: Callable[..., list[Any]]) -> Form:
    """Return a function of TensorFlow from tensors with a batch of 1 to a list of such."""

    def outputs(samples: Tensors) -> "list[Array]":
        import numpy as np
        import tensorflow as tf

        rows = [function(*map(tf.constant, sample)) for sample in samples]
        return [
            np.concatenate([one.numpy() for one in column]) for column in zip(*rows, strict=True)
        ]

    return Form(outputs)


def flatbuffer_form(flatbuffer: bytes) -> Form:
    """Return a .tflite, float or quantized."""
    return Form(
        lambda samples: every_output(flatbuffer, samples),
        lambda samples: _flatbuffer_layers(flatbuffer, samples),
    )


def _keras_layers(model: Any, samples: Tensors) -> dict[str, "Array"]:
    if not getattr(model, "_is_graph_network", False):
        return {}
    import tf_keras

    tensors = {
        _bare(layer.name): layer.get_output_at(index)
        for layer in model.layers
        # A layer may belong to another model too, as those that tfmot strips do.
        for index in range(len(layer.inbound_nodes))
        if f"{layer.name}_ib-{index}" in model._network_nodes
        and hasattr(layer.get_output_at(index), "shape")
    }
    every = tf_keras.Model(model.inputs, tensors)(samples.argument, training=False)
    return {name: every[name].numpy() for name in tensors}


def _flatbuffer_layers(flatbuffer: bytes, samples: Tensors) -> dict[str, "Array"]:
    import numpy as np

    interpreter = open_graph(flatbuffer)
    details = {tensor["index"]: tensor for tensor in interpreter.get_tensor_details()}
    outputs = {_owner(layer.tensor): layer.output for layer in layers(interpreter)}
    rows: dict[str, list[Array]] = {name: [] for name in outputs}
    for sample in fed(interpreter, samples):
        run(interpreter, sample)
        for name, index in outputs.items():
            rows[name].append(dequantized(interpreter.get_tensor(index), details[index]))
    return {name: np.concatenate(values) for name, values in rows.items()}


def _owner(tensor: str) -> str:
    """Return the Keras layer whose output a tensor is.

    The name of a tensor holds those of all operators that were fused, the last one first:
    ``net/relu/Relu;net/conv/Conv2D``.
    """
    path = tensor.split(";")[0].split("/")
    return _bare(path[1] if len(path) > 2 else path[0])


def _bare(name: str) -> str:
    for wrapper in _WRAPPERS:
        name = name.removeprefix(wrapper)
    return name
