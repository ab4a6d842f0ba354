"""Trains a network on within a stage of a recipe."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from edgeflow.compress.network import Network
from edgeflow.config.model import Train
from edgeflow.config.recipe import Distill, Tuning
from edgeflow.console import progress
from edgeflow.errors import TrainingError
from edgeflow.tasks.base import Task
from edgeflow.tasks.registry import task_of
from edgeflow.train.batches import Batches, run_epochs


def fine_tune(
    network: Network,
    stage: Tuning,
    model: Any,
    distill: Distill | None = None,
    callbacks: Sequence[Any] = (),
) -> None:
    """Train `model` in place, on the dataset of `network`, for the epochs of `stage`.

    Args:
        network: gives data, seed, batch size and teacher.
        stage: epochs and learning rate, which falls to zero by a cosine.
        model: the network's model, or a wrapped form of it.
        distill: how much the teacher's answers count, if the network has a teacher.
        callbacks: of Keras, such as that of a pruning schedule.

    Raises:
        TrainingError: the loss became NaN or infinite.
    """
    keras, train = network.keras, settings(network)
    batches = Batches(network.dataset, train)
    rate = keras.optimizers.schedules.CosineDecay(
        stage.learning_rate, max(1, len(batches) * stage.epochs)
    )
    # The legacy Adam is the one that the wrappers of tfmot know.
    loss = _loss(keras, task_of(network.dataset.facts), distill)
    model.compile(optimizer=keras.optimizers.legacy.Adam(rate), loss=loss)
    taught, epochs = _taught(batches.training, network.teacher), range(stage.epochs)
    with progress(network.title, stage.epochs) as advance:

        def after(logs: Mapping[str, float]) -> bool:
            _require_finite(float(logs["loss"]), stage)
            advance(f"loss {logs['loss']:.4f}")
            return True

        run_epochs(keras, model, batches, epochs, after, x=taught, callbacks=callbacks)


def steps(network: Network, stage: Tuning) -> int:
    """Return the number of training steps of a stage."""
    samples, size = len(network.dataset.truth("train")), settings(network).batch_size
    return math.ceil(samples / size) * stage.epochs


def settings(network: Network) -> Train:
    """Return the model's own training settings.

    Raises:
        TrainingError: it has none.
    """
    if network.train is None:
        raise TrainingError(
            f"{network.title} has a stage that trains, and its model has no training settings",
            hint="give the model `train:` settings, or use a recipe that only quantizes",
        )
    return network.train


def _taught(batches: Any, teacher: Any) -> Any:
    """Return batches of (input, target), beside which stand the teacher's outputs if there is one.

    The teacher sees the very samples of the batch, augmentation included.
    """
    import tensorflow as tf

    def target(x: Any, y: Any) -> tuple[Any, Any]:
        truth = tf.cast(y, tf.float32)
        return x, tf.concat([_flat(truth), _flat(teacher(x, training=False))], axis=1)

    return batches if teacher is None else batches.map(target)


def _loss(keras: Any, task: Task, distill: Distill | None) -> Any:
    """Return the task's loss, and with a teacher the weighted mean of it and of the imitation's.

    Source: Hinton et al., "Distilling the Knowledge in a Neural Network", arXiv 1503.02531.
    """
    truthful = task.loss(keras)
    if distill is None:
        return truthful
    imitating, alpha = task.imitation(keras, distill.temperature), distill.alpha

    def loss(target: Any, output: Any) -> Any:
        output = _flat(output)
        size = output.shape[1]
        truth, taught = target[:, :-size], target[:, -size:]
        return alpha * imitating(taught, output) + (1 - alpha) * truthful(truth, output)

    return loss


def _flat(values: Any) -> Any:
    """Return a batch of values with one axis beside the batch's."""
    import tensorflow as tf

    return tf.reshape(values, [tf.shape(values)[0], math.prod(values.shape[1:])])


def _require_finite(loss: float, stage: Tuning) -> None:
    if not math.isfinite(loss):
        raise TrainingError(
            f"{type(stage).__name__} diverged: the loss is {loss}",
            hint=f"lower its learning_rate (now {stage.learning_rate})",
        )
