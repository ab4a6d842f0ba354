"""What a training takes: ``python -m benchmarks.training SIDE`` prints its seconds of CPU.

SIDE is ``loop`` (edgeflow's), ``fit`` (the same in Keras' own words) or ``free`` (edgeflow's with
`deterministic: false`). What they have in common, such as importing TensorFlow, is not counted.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.case import Case
from benchmarks.project import ROOT, alternating
from edgeflow.config.model import Architecture, Train
from edgeflow.dataset.view import DatasetFacts, DatasetView

SAMPLES, VALIDATION, EPOCHS, SIDE_PIXELS = 3000, 600, 6, 8
SHAPE = f"{SAMPLES} images of {SIDE_PIXELS} x {SIDE_PIXELS}, {EPOCHS} epochs, CPU"


def training(repeats: int) -> list[Case]:
    """Measure edgeflow's loop against `model.fit`, and what determinism costs."""
    loop, fit, free = alternating(repeats, *map(_measured, ("loop", "fit", "free")))
    return [
        Case(
            name=f"Training, {SHAPE}",
            what="edgeflow's loop, with its checkpoints",
            against="`model.fit`, as deterministic",
            target=1.02,
            seconds=loop,
            baseline=fit,
        ),
        Case(
            name=f"What determinism costs, {SHAPE}",
            what="edgeflow's loop",
            against="with `deterministic: false`",
            target=1.6,
            seconds=loop,
            baseline=free,
        ),
    ]


def _measured(side: str) -> Callable[[], float]:
    def measure() -> float:
        command = [sys.executable, "-m", "benchmarks.training", side]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        return float(done.stdout.splitlines()[-1])

    return measure


def _take(side: str, folder: Path) -> float:
    from edgeflow.train.keras import keras_for
    from edgeflow.train.network import build_network

    dataset = _dataset(folder)
    train = Train(
        epochs=EPOCHS, patience=EPOCHS, threads=1, schedule="cosine", deterministic=side != "free"
    )
    keras = keras_for(train)
    architecture = Architecture.model_validate({"name": "ds_cnn", "width": 32, "blocks": 3})
    model = build_network(keras, dataset.facts, architecture)
    start = time.process_time()
    if side == "fit":
        _fit(keras, model, dataset, train)
    else:
        _loop(keras, model, dataset, train, folder)
    return time.process_time() - start


def _loop(keras: Any, model: Any, dataset: DatasetView, train: Train, folder: Path) -> None:
    from edgeflow.train.checkpoint import Checkpoint
    from edgeflow.train.loop import fit

    fit(keras, model, dataset, train, Checkpoint(folder / "checkpoint", "key"), "training")


def _fit(keras: Any, model: Any, dataset: DatasetView, train: Train) -> None:
    steps = -(-SAMPLES // train.batch_size) * train.epochs
    rate = keras.optimizers.schedules.CosineDecay(train.learning_rate, steps)
    model.compile(
        optimizer=keras.optimizers.Adam(rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    stop = keras.callbacks.EarlyStopping(patience=train.patience, restore_best_weights=True)
    model.fit(
        dataset.inputs("train"),
        dataset.truth("train"),
        batch_size=train.batch_size,
        epochs=train.epochs,
        validation_data=(dataset.inputs("validation"), dataset.truth("validation")),
        callbacks=[stop],
        verbose=0,
    )


def _dataset(folder: Path) -> DatasetView:
    """Return a dataset of noise: what is learned does not matter here."""
    import numpy as np

    random = np.random.default_rng(7)
    for part, count in (("train", SAMPLES), ("validation", VALIDATION)):
        images = random.integers(0, 256, (count, SIDE_PIXELS, SIDE_PIXELS, 1), np.uint8)
        np.save(folder / f"{part}_x.npy", images)
        np.save(folder / f"{part}_y.npy", random.integers(0, 10, count))
    source = {
        "shape": [SIDE_PIXELS, SIDE_PIXELS, 1],
        "dtype": "uint8",
        "preprocess": {"scale": 1 / 255, "offset": 0.0},
    }
    facts = {"labels": [*"0123456789"], "inputs": {"input": source}, "decoding": {}, "counts": {}}
    return DatasetView(folder=folder, facts=DatasetFacts.model_validate(facts))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        print(_take(sys.argv[1], Path(name)))
