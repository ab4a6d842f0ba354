"""Selections from a Keras model, of Keras 2 and 3 alike."""

from collections.abc import Sequence
from typing import Any

from edgeflow.dataset.view import DatasetFacts
from edgeflow.errors import CompileError
from edgeflow.imported.ends import Inputs, Outputs, chosen_inputs, chosen_outputs
from edgeflow.imported.model import fit_input

CODE_HINT = (
    "save the whole model, not its weights alone, of Keras' own layers; a Lambda layer holds "
    "code, which edgeflow does not run"
)


def selected(
    keras: Any, model: Any, dataset: Sequence[str], given: Inputs, wanted: Outputs
) -> tuple[Any, list[str]]:
    """Return the part of a model between the chosen inputs and outputs, and the latter's names.

    Args:
        keras: the module that the model is of.
        model: with any number of inputs and outputs.
        dataset: names of the dataset's inputs, in whose order those of the result are.
        given: names of inputs, see `Request`.
        wanted: names of outputs, or of layers within, see `Request`.

    Raises:
        CompileError: there are several to choose from, there is none of that name, or an output
            needs other inputs too.
    """
    inputs = {_name(tensor): tensor for tensor in model.inputs or ()}
    outputs = _outputs(model)
    layers = {layer.name: layer for layer in model.layers}
    sources = [inputs[name] for name in chosen_inputs(list(inputs), given, dataset)]
    names = chosen_outputs(list(outputs), wanted, layers)
    if len(inputs) == 1 and list(outputs) == names:
        return model, names
    sinks = [outputs[name] if name in outputs else layers[name].output for name in names]
    try:
        return keras.Model(_bare(sources), _bare(sinks)), names
    except ValueError as error:
        raise CompileError(
            f"output {' or '.join(map(repr, names))} cannot be had from input "
            f"{' and '.join(repr(_name(source)) for source in sources)} alone",
            hint="only inputs of the dataset are fed: choose an `output` that does without others",
        ) from error


def _outputs(model: Any) -> dict[str, Any]:
    """Return a model's outputs by the names of their layers; those of one layer are numbered."""
    found: dict[str, Any] = {}
    for tensor in model.outputs or ():
        name = plain = _name(tensor)
        number = 1
        while name in found:
            number, name = number + 1, f"{plain}_{number}"
        found[name] = tensor
    return found


def _bare(tensors: list[Any]) -> Any:
    return tensors[0] if len(tensors) == 1 else tensors


def resized(keras: Any, model: Any, facts: DatasetFacts) -> Any:
    """Return a model as one for samples of the dataset, with the same weights.

    Args:
        keras: the module that the model is of.
        model: with the dataset's inputs, in their order.
        facts: of the dataset.

    Raises:
        CompileError: it takes other samples.
    """
    samples = facts.shapes
    declared = [tuple(tensor.shape[1:]) for tensor in model.inputs]
    sizes = [fit_input(one, sample) for one, sample in zip(declared, samples, strict=True)]
    if sizes == declared == samples:
        return model
    for one, sample in zip(sizes, samples, strict=True):
        if len(one) != len(sample):
            # Around the model, this would be a network within a network, which no recipe can
            # rewrite.
            raise CompileError(
                f"it takes samples of shape {one}, its dataset has {sample}",
                hint=f"save it with a layer Reshape({one}) behind an input of shape {sample}",
            )
    tensors = [keras.Input(sample) for sample in samples]
    copy = keras.models.clone_model(model, input_tensors=_bare(tensors))
    copy.set_weights(model.get_weights())
    return copy


def _name(tensor: Any) -> str:
    """Return the name of the layer that a tensor comes from, as Keras names inputs and outputs."""
    history = tensor._keras_history
    return str((getattr(history, "layer", None) or history.operation).name)
