"""A trained network on its way through the stages of a recipe."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeflow.compress.form import Form
from edgeflow.compress.same import SAMPLES, require_exact
from edgeflow.config.model import Train
from edgeflow.dataset.view import DatasetView
from edgeflow.errors import CompileError
from edgeflow.train.build import MODEL_FILE


@dataclass(frozen=True, kw_only=True, slots=True)
class Network:
    """A network and what its training needs.

    Attributes:
        keras: the Keras module.
        model: gives logits, values or a reconstruction, as the task has it.
        train: batch size, seed and augmentation of the model's own training; None where the
            recipe has no stage that trains.
        teacher: the model that `distill` names, if the recipe does; it is not trained.
        title: model, recipe and stage, for messages.
    """

    keras: Any
    model: Any
    dataset: DatasetView
    train: Train | None
    teacher: Any
    title: str


def load_model(folder: Path, train: Train | None) -> tuple[Any, Any]:
    """Return the Keras module, freshly seeded, and the trained model of a folder.

    Args:
        folder: of the train step, or of a stage.
        train: gives seed, threads and determinism, where the model is trained on.
    """
    from edgeflow.train.keras import keras_for, load_keras

    keras = keras_for(train) if train else load_keras(seed=0)
    return keras, load_plain(keras, folder / MODEL_FILE)


def load_plain(keras: Any, path: Path) -> Any:
    """Return the model of a file.

    Raises:
        CompileError: it has a layer that is not Keras' own: the file has its name, not its code.
    """
    try:
        return keras.models.load_model(path, compile=False)
    except ValueError as error:
        found = re.match(r"Unknown [\w ]+: '?(\w+)", str(error))
        if found is None:
            raise
        raise CompileError(
            f"the network has a layer or function of its own, {found[1]}, which Keras cannot load",
            hint="build the network of Keras' own layers, or of TensorFlow's functions on tensors",
        ) from error


def seen(network: Network, form: Form) -> Form:
    """Return a form as it is now: tfmot's steps change layers that both forms share."""
    samples = _samples(network)
    outputs, layers = form.outputs(samples), form.layers(samples)
    return Form(lambda _: outputs, lambda _: layers)


def require_same(network: Network, step: str, before: Form, after: Form) -> None:
    """Refuse a network that a step of a stage changed in more than its form.

    Raises:
        CompileError: its outputs differ from those before; it names the first layer that does.
    """
    require_exact(network.title, step, before, after, _samples(network))


def _samples(network: Network) -> Any:
    return network.dataset.tensors("validation")[:SAMPLES]
