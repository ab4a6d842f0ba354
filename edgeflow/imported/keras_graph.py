"""Selections from a Keras model, of Keras 2 and 3 alike."""

from typing import Any

from edgeflow.dataset.view import DatasetFacts
from edgeflow.errors import CompileError
from edgeflow.imported.model import chosen, fit_input

CODE_HINT = (
    "save the whole model, not its weights alone, of Keras' own layers; a Lambda layer holds "
    "code, which edgeflow does not run"
)


def selected(keras: Any, model: Any, given: str | None, wanted: str | None) -> Any:
    """Return the part of a model from one input to one output.

    Args:
        keras: the module that the model is of.
        model: with any number of inputs and outputs.
        given: name of the input; None where there is one.
        wanted: name of an output, or of a layer within; None where there is one output.

    Raises:
        CompileError: there are several to choose from, there is none of that name, or the output
            needs other inputs too.
    """
    inputs = {_name(tensor): tensor for tensor in model.inputs or ()}
    outputs = {_name(tensor): tensor for tensor in model.outputs or ()}
    layers = {layer.name: layer for layer in model.layers}
    source = inputs[chosen("input", list(inputs), given)]
    name = chosen("output", list(outputs), wanted, layers)
    sink = outputs[name] if name in outputs else layers[name].output
    if len(inputs) == 1 and list(outputs) == [name]:
        return model
    try:
        return keras.Model(source, sink)
    except ValueError as error:
        raise CompileError(
            f"output {name!r} cannot be had from input {_name(source)!r} alone",
            hint="one input is fed, the sample: choose an `output` that does without the others",
        ) from error


def resized(keras: Any, model: Any, facts: DatasetFacts) -> Any:
    """Return a model with one input as one for samples of the dataset, with the same weights.

    Raises:
        CompileError: it takes other samples.
    """
    sample, declared = tuple(facts.input_shape), tuple(model.inputs[0].shape[1:])
    sizes = fit_input(declared, facts)
    if sizes == declared == sample:
        return model
    if len(sizes) != len(sample):
        # Around the model, this would be a network within a network, which no recipe can rewrite.
        raise CompileError(
            f"it takes samples of shape {sizes}, its dataset has {sample}",
            hint=f"save it with a layer Reshape({sizes}) behind an input of shape {sample}",
        )
    copy = keras.models.clone_model(model, input_tensors=keras.Input(sample))
    copy.set_weights(model.get_weights())
    return copy


def _name(tensor: Any) -> str:
    """Return the name of the layer that a tensor comes from, as Keras names inputs and outputs."""
    history = tensor._keras_history
    return str((getattr(history, "layer", None) or history.operation).name)
