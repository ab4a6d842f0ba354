"""The training set, epoch by epoch in an order of its own.

All that is random in an epoch follows from the seed and the epoch's number alone.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from edgeflow.config.model import Augment, Train
from edgeflow.config.samples import Part
from edgeflow.dataset.view import DatasetView
from edgeflow.errors import TrainingError
from edgeflow.tasks.registry import task_of

if TYPE_CHECKING:
    import numpy as np


class Batches:
    """Batches of (input, target of the task), as `tf.data.Dataset`.

    Both datasets are built once: one for each epoch would be traced for each.

    Attributes:
        training: the train part, in the order of the epoch that was drawn last.
        validation: all of the validation part.
    """

    def __init__(self, dataset: DatasetView, train: Train) -> None:
        import tensorflow as tf

        self._train, self._task = train, task_of(dataset.facts)
        with tf.device("cpu:0"):  # an accelerator gets them batch by batch
            self._count = len(dataset.truth("train"))
            self._order = tf.Variable(tf.range(self._count, dtype=tf.int64), trainable=False)
            self._changes = tf.Variable(tf.zeros((self._count, 3), tf.int32), trainable=False)
            self.training = self._shuffled(*self._constants(dataset, "train")).prefetch(1)
            self.validation = self._ordered(*self._constants(dataset, "validation")).prefetch(1)

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return -(-self._count // self._train.batch_size)

    def draw(self, layers: Sequence[Any], number: int) -> None:
        """Draw what is random in an epoch; who iterates over `training` next, has it.

        Args:
            layers: the `random_layers` of the model, which are seeded for the epoch.
            number: of the epoch, from 0.
        """
        import numpy as np

        random = np.random.default_rng((self._train.seed, number))
        self._order.assign(random.permutation(self._count))
        for layer in layers:
            # Keras keeps the generator out of the layer's weights and has no other way to it.
            generator = getattr(layer._random_generator, "_generator", None)
            if generator:  # the layer that a Bidirectional one copies is never built
                generator.reset_from_seed(int(random.integers(2**63)))
        if self._train.augment != Augment():
            self._changes.assign(_changes(random, self._count, self._train.augment))

    def _shuffled(self, x: Any, y: Any) -> Any:
        import tensorflow as tf

        augment, size = self._train.augment, self._train.batch_size
        moves = augment != Augment()
        if moves:
            _require_images([array.shape[1:] for array in tf.nest.flatten(x)], augment)

        def batch(start: Any) -> tuple[Any, Any]:
            rows = self._order[start : start + size]
            samples = tf.nest.map_structure(lambda array: tf.gather(array, rows), x)
            if moves:
                samples = _moved(samples, self._changes[start : start + size], augment.shift)
            return self._pair(samples, tf.gather(y, rows))

        return tf.data.Dataset.range(0, self._count, size).map(batch)

    def _ordered(self, x: Any, y: Any) -> Any:
        import tensorflow as tf

        size = self._train.batch_size

        def batch(start: Any) -> tuple[Any, Any]:
            rows = slice(start, start + size)
            return self._pair(tf.nest.map_structure(lambda array: array[rows], x), y[rows])

        return tf.data.Dataset.range(0, len(y), size).map(batch)

    def _constants(self, dataset: DatasetView, part: Part) -> tuple[Any, Any]:
        import tensorflow as tf

        inputs = tf.nest.map_structure(tf.constant, dataset.tensors(part).argument)
        return inputs, tf.constant(dataset.truth(part))

    def _pair(self, x: Any, y: Any) -> tuple[Any, Any]:
        return x, self._task.target(x, y)


def random_layers(keras: Any, model: Any) -> list[Any]:
    """Return the layers of a model that draw random numbers, such as dropout."""
    kind = keras.__internal__.layers.BaseRandomLayer
    return [layer for layer in model.submodules if isinstance(layer, kind)]


def run_epochs(
    keras: Any,
    model: Any,
    batches: Batches,
    epochs: range,
    after: Callable[[Mapping[str, float]], bool],
    **more: Any,
) -> None:
    """Train a compiled model for some epochs, all in one call of Keras: each has its overhead.

    Args:
        keras: the Keras module of the model.
        model: trained in place.
        batches: what is random in an epoch is drawn before it.
        epochs: their numbers, from 0 for the first of a training.
        after: gets the figures of each epoch; training ends where it returns False.
        more: for `fit` of the model, `x` if it is not `batches.training`.
    """
    layers = random_layers(keras, model)

    def end(epoch: int, logs: Mapping[str, float]) -> None:
        model.stop_training = not after(logs)
        if epoch + 1 < epochs.stop:
            # Not when the next one begins: by then Keras has an iterator of it.
            batches.draw(layers, epoch + 1)

    if not epochs:
        return
    batches.draw(layers, epochs.start)
    callbacks = [*more.pop("callbacks", ()), keras.callbacks.LambdaCallback(on_epoch_end=end)]
    model.fit(
        more.pop("x", batches.training),
        initial_epoch=epochs.start,
        epochs=epochs.stop,
        callbacks=callbacks,
        verbose=0,
        **more,
    )


def _require_images(shapes: Sequence[Any], augment: Augment) -> None:
    """Refuse moves and mirrorings of what has no height and width, or too little of them."""
    if len(shapes) > 1:
        raise TrainingError(
            f"`augment` moves and mirrors one image, and a sample has {len(shapes)} inputs",
            hint="remove `augment:` from the model's `train:`",
        )
    shape = shapes[0]
    if len(shape) != 3:
        raise TrainingError(
            f"`augment` moves and mirrors images, and samples have the shape {tuple(shape)}",
            hint="remove `augment:` from the model's `train:`",
        )
    if any(1 < size < augment.shift for size in shape[:2]):
        raise TrainingError(
            f"`augment.shift` of {augment.shift} moves samples of shape {tuple(shape)} further "
            "than they reach",
            hint="set it to less than their height and width",
        )


def _changes(random: "np.random.Generator", samples: int, augment: Augment) -> Any:
    """Return moves along height and width, 0..2 * shift, and mirrorings, 0 or 1; int32 (n, 3)."""
    import numpy as np

    moves = random.integers(0, 2 * augment.shift, (samples, 2), endpoint=True)
    flips = random.integers(0, int(augment.flip), (samples, 1), endpoint=True)
    return np.concatenate([moves, flips], axis=1).astype(np.int32)


def _moved(images: Any, changes: Any, shift: int) -> Any:
    """Return images (n, height, width, channels), each with its own change."""
    import tensorflow as tf

    height, width = images.shape[1:3]
    # Along an axis of one value, the width of a signal, there is nowhere to move.
    down, right = (shift if size > 1 else 0 for size in (height, width))
    padded = tf.pad(images, [[0, 0], [down, down], [right, right], [0, 0]], "SYMMETRIC")
    rows = changes[:, :1] * min(down, 1) + tf.range(height)
    columns = changes[:, 1:2] * min(right, 1) + tf.range(width)
    columns = tf.where(changes[:, 2:] == 1, columns[:, ::-1], columns)
    moved = tf.gather(padded, rows, axis=1, batch_dims=1)
    return tf.gather(moved, columns, axis=2, batch_dims=1)
