"""The training loop: Adam, early stopping on validation loss, best weights kept."""

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeflow.config.model import Train
from edgeflow.console import Advance, progress
from edgeflow.dataset.view import DatasetView
from edgeflow.errors import TrainingError

if TYPE_CHECKING:
    from numpy.typing import NDArray

COLUMNS = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate")


def fit(
    keras: Any, model: Any, dataset: DatasetView, train: Train, title: str
) -> list[dict[str, float]]:
    """Train `model` in place; its weights end as those of the lowest validation loss.

    Returns:
        One row per epoch with the keys of `COLUMNS`.

    Raises:
        TrainingError: the loss, also that on the validation set, became NaN or infinite.
    """
    x, y = dataset.inputs("train"), dataset.labels("train")
    model.compile(
        optimizer=keras.optimizers.Adam(_learning_rate(keras, train, len(y))),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    rows: list[dict[str, float]] = []
    with progress(title, train.epochs) as advance:
        model.fit(
            x,
            y,
            batch_size=train.batch_size,
            epochs=train.epochs,
            validation_data=(dataset.inputs("validation"), dataset.labels("validation")),
            callbacks=_callbacks(keras, train, rows, advance),
            verbose=0,
        )
    return rows


def _learning_rate(keras: Any, train: Train, samples: int) -> Any:
    if train.schedule == "constant":
        return train.learning_rate
    steps = math.ceil(samples / train.batch_size) * train.epochs
    return keras.optimizers.schedules.CosineDecay(train.learning_rate, steps)


def _callbacks(
    keras: Any, train: Train, rows: list[dict[str, float]], advance: Advance
) -> list[Any]:
    def record(epoch: int, logs: Mapping[str, float]) -> None:
        row = {name: float(logs[name]) for name in COLUMNS[1:5]}
        # The loss is taken before each step, the validation loss after the last one.
        if not (math.isfinite(row["loss"]) and math.isfinite(row["val_loss"])):
            raise TrainingError(
                f"training diverged in epoch {epoch + 1}: the loss is {row['loss']}, "
                f"on the validation set {row['val_loss']}",
                hint=f"lower train.learning_rate (now {train.learning_rate}), "
                "or check the samples for extreme values",
            )
        rate = float(keras.backend.get_value(stopper.model.optimizer.learning_rate))
        rows.append({"epoch": epoch + 1, **row, "learning_rate": rate})
        advance(f"loss {row['loss']:.4f}, val_accuracy {row['val_accuracy']:.4f}")

    stopper = keras.callbacks.EarlyStopping(
        monitor="val_loss", mode="min", patience=train.patience, restore_best_weights=True
    )
    return [stopper, keras.callbacks.LambdaCallback(on_epoch_end=record)]


def write_history(rows: Sequence[Mapping[str, float]], path: Path) -> None:
    """Write the training curves as CSV."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def predict(model: Any, x: "NDArray[Any]") -> "NDArray[Any]":
    """Return the float model's logits, float32 (n, classes)."""
    logits: NDArray[Any] = model.predict(x, batch_size=256, verbose=0)
    return logits
