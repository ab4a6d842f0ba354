"""The training: Adam, the learning rate falling to zero by a cosine, as in edgeflow's own."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from .refusal import Refusal

SOME = 512
"""Samples that tell how large activations get at the start; the training follows what comes."""


@dataclass(frozen=True)
class Samples:
    """What the training reads, float32: arrays (n, ...) of each input, and the truth."""

    train: "list[np.ndarray[Any, Any]]"
    validation: "list[np.ndarray[Any, Any]]"
    truth: "np.ndarray[Any, Any]"

    @classmethod
    def read(cls, folder: Path, job: Mapping[str, Any]) -> "Samples":
        """Read what lies in the worker's folder."""

        def inputs(part: str) -> list[Any]:
            return [np.load(folder / f"{part}_x{place}.npy") for place in range(job["inputs"])]

        return cls(inputs("train"), inputs("validation"), np.load(folder / "train_y.npy"))

    def some(self) -> Any:
        """Return a few training samples, as a model takes them."""
        return argument([one[:SOME] for one in self.train])

    def every(self) -> list[Any]:
        """Return the samples of training and validation, by input."""
        return [np.concatenate(pair) for pair in zip(self.train, self.validation, strict=True)]


def argument(inputs: list[Any]) -> Any:
    """Return arrays as a model takes them: the one, or all."""
    return inputs[0] if len(inputs) == 1 else inputs


class _Batches(keras.utils.PyDataset):  # type: ignore[misc]  # not installed beside edgeflow
    """Batches in an order of each epoch, which follows from the seed and its number alone."""

    def __init__(self, samples: Samples, job: Mapping[str, Any]) -> None:
        super().__init__()
        self._samples, self._job, self._epoch = samples, job, 0
        self._draw()

    def __len__(self) -> int:
        return math.ceil(len(self._order) / int(self._job["batch_size"]))

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        size = self._job["batch_size"]
        picks = slice(index * size, (index + 1) * size)
        rows = self._order[picks]
        inputs = [one[rows] for one in self._samples.train]
        if self._job["shift"] or self._job["flip"]:
            inputs = [_moved(inputs[0], self._changes[picks], self._job["shift"])]
        again = self._job["target"] == "input"
        return argument(inputs), inputs[0] if again else self._samples.truth[rows]

    def on_epoch_end(self) -> None:
        self._epoch += 1
        self._draw()

    def _draw(self) -> None:
        random, count = (
            np.random.default_rng((self._job["seed"], self._epoch)),
            len(self._samples.truth),
        )
        self._order = random.permutation(count)
        moves = random.integers(0, 2 * self._job["shift"], (count, 2), endpoint=True)
        flips = random.integers(0, int(self._job["flip"]), (count, 1), endpoint=True)
        self._changes = np.concatenate([moves, flips], axis=1)


def _moved(images: Any, changes: Any, shift: int) -> Any:
    """Return images (n, height, width, channels), each with its own move and mirroring."""
    height, width = images.shape[1:3]
    # Along an axis of one value, the width of a signal, there is nowhere to move.
    down, right = (shift if size > 1 else 0 for size in (height, width))
    padded = np.pad(images, [(0, 0), (down, down), (right, right), (0, 0)], "symmetric")
    rows = changes[:, :1] * min(down, 1) + np.arange(height)
    columns = changes[:, 1:2] * min(right, 1) + np.arange(width)
    columns = np.where(changes[:, 2:] == 1, columns[:, ::-1], columns)
    samples = np.arange(len(images))[:, None, None]
    return padded[samples, rows[:, :, None], columns[:, None, :]]


def train(model: Any, samples: Samples, job: Mapping[str, Any]) -> None:
    """Train the model in place.

    Raises:
        Refusal: the loss became NaN or infinite.
    """
    if not job["epochs"]:
        return
    batches = _Batches(samples, job)
    steps = len(batches) * job["epochs"]
    rate = keras.optimizers.schedules.CosineDecay(job["learning_rate"], steps)
    loss = getattr(keras.losses, job["loss"]["class"])(**job["loss"]["config"])
    # Not compiled by XLA, whose sums depend on the CPU.
    model.compile(optimizer=keras.optimizers.Adam(rate), loss=loss, jit_compile=False)
    done = model.fit(batches, epochs=job["epochs"], shuffle=False, verbose=0)
    for epoch, value in enumerate(done.history["loss"], 1):
        print(f"hgq: epoch {epoch} of {job['epochs']}, loss {value:.4f}")
    if not np.isfinite(done.history["loss"]).all():
        raise Refusal("the training diverged: the loss is no number", "lower its learning_rate")
