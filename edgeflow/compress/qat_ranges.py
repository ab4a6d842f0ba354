"""Where quantization-aware training begins: with the ranges of the network that it is given.

tfmot starts every activation at -6..6 and the input at 0..0, and moves these a thousandth of the
way with each batch: for its first thousands of steps the network would train on what that clips.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from edgeflow.compress.tfmot import replaced
from edgeflow.dataset.view import DatasetView

BATCH = 64
"""Samples of a pass."""
PASSES = 16
DECAY = 0.5
"""After all passes 0.5 ** 16 of the first ranges is left, 1e-4 of an int8 step."""


def measure_ranges(dataset: DatasetView, model: Any) -> None:
    """Set the ranges of `model`, a network in tfmot's wrapped form, from training samples.

    Each pass sees other samples, and ranges that the pass before widened. All other weights, such
    as the statistics of batch normalization, stay as they are.
    """
    import numpy as np

    kept = {id(weight): weight.numpy() for weight in model.weights if not _is_range(weight)}
    samples = dataset.tensors("train")
    order = np.random.default_rng(0).permutation(len(samples))
    with _quick_ranges():
        for turn in range(PASSES):
            rows = np.arange(turn * BATCH, (turn + 1) * BATCH) % len(order)
            model(samples[order[rows]].argument, training=True)
    for weight in model.weights:
        if id(weight) in kept:
            weight.assign(kept[id(weight)])


def _is_range(weight: Any) -> bool:
    return bool(weight.name.endswith(("min:0", "max:0")))


@contextmanager
def _quick_ranges() -> Iterator[None]:
    """Let ranges follow what they see; tfmot has the pace as a constant."""
    from tensorflow_model_optimization.python.core.quantization.keras import quant_ops

    usual = quant_ops.MovingAvgQuantize
    with replaced(quant_ops, "MovingAvgQuantize", partial(_at_pace, usual)):
        yield


def _at_pace(usual: Any, *args: Any, **settings: Any) -> Any:
    return usual(*args, **{**settings, "ema_decay": DECAY})
