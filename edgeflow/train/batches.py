"""The training set, epoch by epoch in an order of its own.

All that is random in an epoch follows from the seed and the epoch's number alone.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from edgeflow.config.model import Augment, Train
from edgeflow.dataset.view import DatasetView
from edgeflow.errors import TrainingError
from edgeflow.tasks.registry import task_of

if TYPE_CHECKING:
    import numpy as np


class Batches:
    """Batches of (input, target of the task) from the train part; all of the validation part."""

    def __init__(self, keras: Any, dataset: DatasetView, train: Train) -> None:
        import tensorflow as tf

        self._keras, self._train, self._task = keras, train, task_of(dataset.facts)
        with tf.device("cpu:0"):  # an accelerator gets them batch by batch
            self._x = tf.nest.map_structure(tf.constant, dataset.tensors("train").argument)
            self._y = tf.constant(dataset.truth("train"))
            given = dataset.tensors("validation").argument
            validation = self._pair(given, dataset.truth("validation"))
            self.validation = tf.data.Dataset.from_tensor_slices(validation).batch(train.batch_size)

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return -(-len(self._y) // self._train.batch_size)

    def epoch(self, model: Any, number: int) -> Any:
        """Return an epoch's batches as `tf.data.Dataset`; restart what draws random numbers.

        Args:
            model: its random layers are seeded for the epoch.
            number: of the epoch, from 0.
        """
        import numpy as np
        import tensorflow as tf

        random = np.random.default_rng((self._train.seed, number))
        order = random.permutation(len(self._y))
        for layer in model.submodules:
            if isinstance(layer, self._keras.__internal__.layers.BaseRandomLayer):
                # Keras keeps the generator out of the layer's weights and has no other way to it.
                generator = getattr(layer._random_generator, "_generator", None)
                if generator:  # the layer that a Bidirectional one copies is never built
                    generator.reset_from_seed(int(random.integers(2**63)))

        def samples(rows: Any) -> tuple[Any, Any]:
            x = tf.nest.map_structure(lambda array: tf.gather(array, rows), self._x)
            return self._pair(x, tf.gather(self._y, rows))

        rows = tf.data.Dataset.from_tensor_slices(order).batch(self._train.batch_size)
        batches = rows.map(samples)
        return self._augmented(batches, random).prefetch(1)

    def _pair(self, x: Any, y: Any) -> tuple[Any, Any]:
        return x, self._task.target(x, y)

    def _augmented(self, batches: Any, random: "np.random.Generator") -> Any:
        import tensorflow as tf

        augment = self._train.augment
        if augment == Augment():
            return batches
        _require_images([array.shape[1:] for array in tf.nest.flatten(self._x)], augment)
        changes = _changes(random, len(self._y), augment)
        drawn = tf.data.Dataset.from_tensor_slices(changes).batch(self._train.batch_size)
        both = tf.data.Dataset.zip((batches, drawn))
        return both.map(
            lambda batch, change: self._pair(_moved(batch[0], change, augment.shift), batch[1])
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
