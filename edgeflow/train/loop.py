"""The training loop: Adam, early stopping on validation loss, best weights kept.

Each epoch is random in its own right (see `batches.py`), so that a training that goes on from a
checkpoint ends in the bytes of one that was never stopped.
"""

import csv
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeflow.config.model import Train
from edgeflow.console import progress, say
from edgeflow.dataset.tensors import Tensors, listed
from edgeflow.dataset.view import DatasetView
from edgeflow.errors import TrainingError
from edgeflow.tasks.metric import Metric
from edgeflow.tasks.registry import task_of
from edgeflow.train.batches import Batches, run_epochs
from edgeflow.train.checkpoint import Arrays, Checkpoint, Progress, Row

if TYPE_CHECKING:
    from numpy.typing import NDArray

SAVE_EVERY_S = 1.0
"""A training that was killed repeats as much, and the epoch that it was in."""


def columns(metric: Metric) -> tuple[str, ...]:
    """Return the names of what is known of each epoch."""
    return ("epoch", "loss", metric.name, "val_loss", f"val_{metric.name}", "learning_rate")


def fit(
    keras: Any, model: Any, dataset: DatasetView, train: Train, checkpoint: Checkpoint, title: str
) -> list[Row]:
    """Train `model` in place; its weights end as those of the lowest validation loss.

    Returns:
        One row per epoch with the keys of `columns`; no metric where the task keeps none.

    Raises:
        TrainingError: the loss, also that on the validation set, became NaN or infinite.
    """
    epochs = _Epochs(keras, model, dataset, train)
    before = checkpoint.load()
    if before:
        epochs.restore(before)
        say(f"{title}: continues after epoch {len(before.rows)} of {train.epochs}")
    with progress(title, train.epochs - len(epochs.rows)) as advance:
        saved_s = time.monotonic()

        def after() -> None:
            nonlocal saved_s
            if time.monotonic() - saved_s >= SAVE_EVERY_S:
                checkpoint.save(epochs.progress())
                saved_s = time.monotonic()
            row = epochs.rows[-1]
            judged = epochs.judged if epochs.judged in row else "val_loss"
            advance(f"loss {row['loss']:.4f}, {judged} {row[judged]:.4f}")

        epochs.run(after)
    model.set_weights(epochs.best)
    return epochs.rows


def best_epoch(rows: Sequence[Mapping[str, float]]) -> int:
    """Return the number, from 1, of the first epoch with the lowest validation loss."""
    return int(min(rows, key=lambda row: row["val_loss"])["epoch"])


def _finished(rows: Sequence[Mapping[str, float]], train: Train) -> bool:
    return len(rows) in (train.epochs, best_epoch(rows) + train.patience)


class _Epochs:
    """A compiled model and its data; any epoch can run in another process than the last.

    Attributes:
        rows: the training curves, one row per epoch.
        best: the model's weights after the epoch of the lowest validation loss.
        judged: the column that tells best how good the model is.
    """

    def __init__(self, keras: Any, model: Any, dataset: DatasetView, train: Train) -> None:
        self._keras, self._model, self._train = keras, model, train
        self._batches = Batches(dataset, train)
        task = task_of(dataset.facts)
        curve = task.curve(keras)
        self._columns = columns(task.metric)
        self.judged = self._columns[4]
        self.rows: list[Row] = []
        self.best: Arrays = []
        model.compile(
            optimizer=keras.optimizers.Adam(_learning_rate(keras, train, len(self._batches))),
            loss=task.loss(keras),
            metrics=[] if curve is None else [curve],
        )
        model.optimizer.build(model.trainable_variables)

    def restore(self, before: Progress) -> None:
        """Set model and optimizer to where they were."""
        self.rows, self.best = [*before.rows], before.best
        self._model.set_weights(before.weights)
        for variable, value in zip(self._model.optimizer.variables, before.optimizer, strict=True):
            variable.assign(value)

    def progress(self) -> Progress:
        """Return all that `restore` needs."""
        optimizer = [variable.numpy() for variable in self._model.optimizer.variables]
        weights = self._model.get_weights()
        return Progress(rows=self.rows, weights=weights, optimizer=optimizer, best=self.best)

    def run(self, after: Callable[[], None]) -> None:
        """Train to the end, on from where model and optimizer stand; call `after` each epoch."""

        def end(logs: Mapping[str, float]) -> bool:
            self._note(logs)
            after()
            return not _finished(self.rows, self._train)

        if not (self.rows and _finished(self.rows, self._train)):
            left = range(len(self.rows), self._train.epochs)
            validation = {"validation_data": self._batches.validation}
            run_epochs(self._keras, self._model, self._batches, left, end, **validation)

    def _note(self, logs: Mapping[str, float]) -> None:
        """Add an epoch's row, and keep the weights if they are the best so far."""
        number = len(self.rows) + 1
        row: Row = {name: float(logs[name]) for name in self._columns[1:5] if name in logs}
        _require_finite(row, number, self._train)
        rate = float(self._keras.backend.get_value(self._model.optimizer.learning_rate))
        self.rows.append({"epoch": number, **row, "learning_rate": rate})
        if best_epoch(self.rows) == number:
            self.best = self._model.get_weights()


def _require_finite(row: Mapping[str, float], epoch: int, train: Train) -> None:
    # The loss is taken before each step, the validation loss after the last one.
    if not (math.isfinite(row["loss"]) and math.isfinite(row["val_loss"])):
        raise TrainingError(
            f"training diverged in epoch {epoch}: the loss is {row['loss']}, "
            f"on the validation set {row['val_loss']}",
            hint=f"lower train.learning_rate (now {train.learning_rate}), "
            "or check the samples for extreme values",
        )


def _learning_rate(keras: Any, train: Train, steps: int) -> Any:
    if train.schedule == "constant":
        return train.learning_rate
    return keras.optimizers.schedules.CosineDecay(train.learning_rate, steps * train.epochs)


def write_history(rows: Sequence[Mapping[str, float]], path: Path, metric: Metric) -> None:
    """Write the training curves as CSV; the cells of a figure that does not exist are empty."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns(metric), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def predict(model: Any, inputs: Tensors) -> "NDArray[Any]":
    """Return the float model's first output, float32 (n, *output_shape)."""
    return predictions(model, inputs)[0]


def predictions(model: Any, inputs: Tensors) -> "list[NDArray[Any]]":
    """Return the float model's outputs by position, each float32 (n, *shape)."""
    argument = inputs.argument
    x = list(argument) if isinstance(argument, tuple) else argument  # a tuple were (x, y)
    return listed(model.predict(x, batch_size=256, verbose=0))
