"""How much of the calibration set a network needs: the same recipe with less of it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from edgeflow.compress.debug.graph import layers, open_graph
from edgeflow.compress.debug.tally import decibels
from edgeflow.compress.evaluate import host_outputs
from edgeflow.compress.ptq.flatbuffer import calibrate, to_int8, to_int16x8
from edgeflow.config.recipe import Recipe
from edgeflow.dataset.tensors import Tensors
from edgeflow.dataset.view import DatasetView
from edgeflow.tasks.registry import task_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgeflow.tasks.base import Truth

SHARES = (1 / 8, 1 / 4, 1 / 2, 1)

TEST_SAMPLES = 2000
"""Test samples that each size is judged on, at most; taken evenly from the whole set."""


def by_calibration_size(
    float_model: bytes, recipe: Recipe, kept: Sequence[str], dataset: DatasetView
) -> list[dict[str, object]]:
    """Return SQNR of the outputs and the metric by the number of calibration samples.

    Args:
        float_model: float32 .tflite.
        recipe: one that calibrates.
        kept: names of the layers that stay in float.
        dataset: with its parts test and calibration.
    """
    task, (inputs, truth) = task_of(dataset.facts), _test(dataset)
    reference = host_outputs(float_model, inputs)
    calibration = dataset.tensors("calibration")
    sizes = sorted({max(1, round(len(calibration) * share)) for share in SHARES})
    rows: list[dict[str, object]] = []
    for size in sizes:
        model = _quantize(float_model, recipe, kept, calibration[:size])
        outputs = host_outputs(model, inputs)
        figure = task.figure(outputs, inputs.first, truth)
        rows.append({"samples": size, "sqnr_db": sqnr_db(reference, outputs), "metric": figure})
    return rows


def sqnr_db(reference: "NDArray[np.float32]", values: "NDArray[np.float32]") -> float | None:
    """Return the ratio of the power of `reference` to that of the difference; None if equal."""
    import numpy as np

    signal = float(np.square(reference, dtype=np.float64).sum())
    noise = float(np.square(values - reference, dtype=np.float64).sum())
    return decibels(noise / signal) if signal else None


def _quantize(float_model: bytes, recipe: Recipe, kept: Sequence[str], samples: Tensors) -> bytes:
    if recipe.quantize == "ptq-int16x8":
        return to_int16x8(float_model, samples)
    tensors = [layer.tensor for layer in layers(open_graph(float_model)) if layer.name in kept]
    calibrated = calibrate(float_model, samples, recipe.calibration)
    return to_int8(calibrated, recipe.io, tensors, recipe.dense_scales)


def _test(dataset: DatasetView) -> tuple[Tensors, "Truth"]:
    import numpy as np

    inputs, truth = dataset.tensors("test"), dataset.truth("test")
    count = min(len(truth), TEST_SAMPLES)
    chosen = np.linspace(0, len(truth) - 1, count).round().astype(np.int64)
    return inputs[chosen], truth[chosen]
