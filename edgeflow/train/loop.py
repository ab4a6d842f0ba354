"""The training loop: Adam, early stopping on validation loss, best weights kept.

Each epoch is random in its own right (see `batches.py`), so that a training that goes on from a
checkpoint ends in the bytes of one that was never stopped.
"""

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeflow.config.model import Train
from edgeflow.console import progress, say
from edgeflow.dataset.tensors import Tensors, listed
from edgeflow.dataset.view import DatasetView
from edgeflow.errors import TrainingError
from edgeflow.tasks.metric import Metric
from edgeflow.tasks.registry import task_of
from edgeflow.train.batches import Batches
from edgeflow.train.checkpoint import Checkpoint, Progress, Row

if TYPE_CHECKING:
    from numpy.typing import NDArray


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
    now = checkpoint.load()
    if now:
        epochs.restore(now)
        say(f"{title}: continues after epoch {len(now.rows)} of {train.epochs}")
    with progress(title, train.epochs - (len(now.rows) if now else 0)) as advance:
        while now is None or not _finished(now.rows, train):
            now = epochs.run(now)
            checkpoint.save(now)
            row = now.rows[-1]
            judged = epochs.judged if epochs.judged in row else "val_loss"
            advance(f"loss {row['loss']:.4f}, {judged} {row[judged]:.4f}")
    model.set_weights(now.best)
    return now.rows


def best_epoch(rows: Sequence[Mapping[str, float]]) -> int:
    """Return the number, from 1, of the first epoch with the lowest validation loss."""
    return int(min(rows, key=lambda row: row["val_loss"])["epoch"])


def _finished(rows: Sequence[Mapping[str, float]], train: Train) -> bool:
    return len(rows) in (train.epochs, best_epoch(rows) + train.patience)


class _Epochs:
    """A compiled model and its data; each epoch can run in another process than the last."""

    def __init__(self, keras: Any, model: Any, dataset: DatasetView, train: Train) -> None:
        self._keras, self._model, self._train = keras, model, train
        self._batches = Batches(keras, dataset, train)
        task = task_of(dataset.facts)
        curve = task.curve(keras)
        self._columns = columns(task.metric)
        self.judged = self._columns[4]
        model.compile(
            optimizer=keras.optimizers.Adam(_learning_rate(keras, train, len(self._batches))),
            loss=task.loss(keras),
            metrics=[] if curve is None else [curve],
        )
        model.optimizer.build(model.trainable_variables)

    def restore(self, now: Progress) -> None:
        """Set model and optimizer to where they were."""
        self._model.set_weights(now.weights)
        for variable, value in zip(self._model.optimizer.variables, now.optimizer, strict=True):
            variable.assign(value)

    def run(self, before: Progress | None) -> Progress:
        """Train one epoch on from `before`, which model and optimizer stand at."""
        done = len(before.rows) if before else 0
        history = self._model.fit(
            self._batches.epoch(self._model, done),
            initial_epoch=done,
            epochs=done + 1,
            validation_data=self._batches.validation,
            verbose=0,
        ).history
        row: Row = {name: float(history[name][0]) for name in self._columns[1:5] if name in history}
        _require_finite(row, done + 1, self._train)
        optimizer = self._model.optimizer
        rate = float(self._keras.backend.get_value(optimizer.learning_rate))
        rows = [*(before.rows if before else ()), {"epoch": done + 1, **row, "learning_rate": rate}]
        weights = self._model.get_weights()
        return Progress(
            rows=rows,
            weights=weights,
            optimizer=[variable.numpy() for variable in optimizer.variables],
            best=weights if before is None or best_epoch(rows) == len(rows) else before.best,
        )


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
