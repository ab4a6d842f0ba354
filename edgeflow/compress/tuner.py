"""Trains a network on within a stage of a recipe."""

import math
from collections.abc import Sequence
from typing import Any

from edgeflow.compress.network import Network
from edgeflow.config.model import Train
from edgeflow.config.recipe import Distill, Tuning
from edgeflow.console import progress
from edgeflow.errors import TrainingError
from edgeflow.train.batches import Batches


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
    keras, train = network.keras, _settings(network)
    batches = Batches(keras, network.dataset, train)
    rate = keras.optimizers.schedules.CosineDecay(
        stage.learning_rate, max(1, len(batches) * stage.epochs)
    )
    # The legacy Adam is the one that the wrappers of tfmot know.
    model.compile(optimizer=keras.optimizers.legacy.Adam(rate), loss=_loss(keras, distill))
    with progress(network.title, stage.epochs) as advance:
        for epoch in range(stage.epochs):
            data = _taught(batches.epoch(model, epoch), network.teacher)
            history = model.fit(
                data, initial_epoch=epoch, epochs=epoch + 1, callbacks=list(callbacks), verbose=0
            )
            loss = float(history.history["loss"][0])
            _require_finite(loss, stage)
            advance(f"loss {loss:.4f}")


def steps(network: Network, stage: Tuning) -> int:
    """Return the number of training steps of a stage."""
    samples, size = len(network.dataset.labels("train")), _settings(network).batch_size
    return math.ceil(samples / size) * stage.epochs


def _settings(network: Network) -> Train:
    if network.train is None:
        raise TrainingError(
            f"{network.title} has a stage that trains, and its model has no training settings",
            hint="give the model `train:` settings, or use a recipe that only quantizes",
        )
    return network.train


def _taught(batches: Any, teacher: Any) -> Any:
    """Return batches of (input, target): class number, then the teacher's logits if there is one.

    The teacher sees the very samples of the batch, augmentation included.
    """
    import tensorflow as tf

    def target(x: Any, y: Any) -> tuple[Any, Any]:
        classes = tf.cast(y, tf.float32)[:, None]
        return x, tf.concat([classes, teacher(x, training=False)], axis=1)

    return batches if teacher is None else batches.map(target)


def _loss(keras: Any, distill: Distill | None) -> Any:
    import tensorflow as tf

    cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    if distill is None:
        return cross_entropy
    divergence = keras.losses.KLDivergence()
    heat, alpha = distill.temperature, distill.alpha

    def loss(target: Any, logits: Any) -> Any:
        """Return Hinton et al.'s loss, arXiv 1503.02531; heat**2 keeps the gradients' size."""
        soft = divergence(tf.nn.softmax(target[:, 1:] / heat), tf.nn.softmax(logits / heat))
        return alpha * heat**2 * soft + (1 - alpha) * cross_entropy(target[:, 0], logits)

    return loss


def _require_finite(loss: float, stage: Tuning) -> None:
    if not math.isfinite(loss):
        raise TrainingError(
            f"{type(stage).__name__} diverged: the loss is {loss}",
            hint=f"lower its learning_rate (now {stage.learning_rate})",
        )
