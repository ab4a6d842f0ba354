"""Figures from raw outputs: parity, percentiles, confusion, first stage that diverges."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from edgeflow.compress.evaluate import dequantized

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Outputs = NDArray[np.float32]
    Decisions = NDArray[np.int64]

AGREEMENT_MIN = 0.99
"""A stage diverges where it decides otherwise than the stage before for more than 1 %."""

STAGES = ("baseline", "recipe", "compiled", "device")


def dequantize(values: "NDArray[Any]", tensor: Mapping[str, Any]) -> "Outputs":
    """Return raw outputs as float32, by the output tensor's scale and zero point."""
    return dequantized(values, {"quantization": (tensor["scale"], tensor.get("zero_point", 0))})


def parity(
    device: "Outputs", reference: "Outputs", *, tolerance: float, bit_exact: bool
) -> dict[str, Any]:
    """Compare a device's outputs with the host's reference, sample by sample.

    Args:
        device: dequantized outputs, float32 (n, *output_shape).
        reference: the same from the host's engine.
        tolerance: largest absolute difference that counts as equal; 0 where bit_exact.
        bit_exact: whether the engine promises the very same bytes.

    Returns:
        ``share`` of equal samples, ``max_abs`` difference and the terms.
    """
    import numpy as np

    difference = np.abs(device - reference).reshape(len(device), -1).max(axis=1)
    return {
        "share": float((difference <= tolerance).mean()),
        "max_abs": float(difference.max()),
        "tolerance": tolerance,
        "bit_exact": bit_exact,
    }


def agreement(one: "Decisions", other: "Decisions") -> float:
    """Return the share of samples for which both decide for the same class."""
    return float((one == other).mean())


def first_divergence(decided: Mapping[str, "Decisions"]) -> str:
    """Return the first stage that disagrees with the one before it, or ``none``.

    Args:
        decided: class numbers, one entry for each of `STAGES`.
    """
    for before, stage in pairwise(STAGES):
        if agreement(decided[before], decided[stage]) < AGREEMENT_MIN:
            return stage
    return "none"


def latency_summary(times_ms: Sequence[float], warmup: int) -> dict[str, float]:
    """Return percentiles of single inference times in ms."""
    import numpy as np

    p50, p90, p99 = (float(value) for value in np.percentile(times_ms, [50, 90, 99]))
    return {
        "p50": p50,
        "p90": p90,
        "p99": p99,
        "mean": float(np.mean(times_ms)),
        "min": float(np.min(times_ms)),
        "max": float(np.max(times_ms)),
        "runs": len(times_ms),
        "warmup": warmup,
    }


def confusion(decided: "Decisions", truth: "NDArray[np.int64]", classes: int) -> list[list[int]]:
    """Return the confusion matrix: rows are true classes, columns decisions."""
    import numpy as np

    pairs = truth * classes + decided
    counts = np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)
    matrix: list[list[int]] = counts.tolist()
    return matrix


def stratified_indices(truth: "NDArray[np.int64]", samples: int | None) -> "NDArray[np.int64]":
    """Return the positions of `samples` test samples, each class with its share, in order."""
    import numpy as np

    total = len(truth)
    if samples is None or samples >= total:
        return np.arange(total)
    by_class = np.argsort(truth, kind="stable")
    picks = np.linspace(0, total - 1, samples).round().astype(np.int64)
    result: NDArray[np.int64] = np.sort(by_class[picks])
    return result
