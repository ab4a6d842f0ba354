"""Figures from raw outputs: accuracy, parity, percentiles, first stage that diverges."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from edgeflow.compress.evaluate import dequantized

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Logits = NDArray[np.float32]

AGREEMENT_MIN = 0.99
"""A stage diverges where it predicts another class than the stage before for more than 1 %."""

STAGES = ("float", "recipe", "compiled", "device")


def dequantize(values: "NDArray[Any]", tensor: Mapping[str, Any]) -> "Logits":
    """Return raw outputs as float32, by the output tensor's scale and zero point."""
    return dequantized(values, {"quantization": (tensor["scale"], tensor.get("zero_point", 0))})


def accuracy(logits: "Logits", truth: "NDArray[np.int64]") -> float:
    """Return the share of samples whose largest logit is at the true class."""
    return float((logits.argmax(axis=1) == truth).mean())


def parity(
    device: "Logits", reference: "Logits", *, tolerance: float, bit_exact: bool
) -> dict[str, Any]:
    """Compare a device's outputs with the host's reference, sample by sample.

    Args:
        device: dequantized outputs, float32 (n, classes).
        reference: the same from the host's engine.
        tolerance: largest absolute difference that counts as equal; 0 where bit_exact.
        bit_exact: whether the engine promises the very same bytes.

    Returns:
        ``share`` of equal samples, ``max_abs`` difference, ``agreement_argmax`` and the terms.
    """
    import numpy as np

    difference = np.abs(device - reference).max(axis=1)
    return {
        "share": float((difference <= tolerance).mean()),
        "max_abs": float(difference.max()),
        "tolerance": tolerance,
        "bit_exact": bit_exact,
        "agreement_argmax": agreement(device, reference),
    }


def agreement(one: "Logits", other: "Logits") -> float:
    """Return the share of samples for which both predict the same class."""
    return float((one.argmax(axis=1) == other.argmax(axis=1)).mean())


def first_divergence(logits: Mapping[str, "Logits"]) -> str:
    """Return the first stage that disagrees with the one before it, or ``none``.

    Args:
        logits: one entry for each of `STAGES`.
    """
    for before, stage in pairwise(STAGES):
        if agreement(logits[before], logits[stage]) < AGREEMENT_MIN:
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


def confusion(logits: "Logits", truth: "NDArray[np.int64]", classes: int) -> list[list[int]]:
    """Return the confusion matrix: rows are true classes, columns predictions."""
    import numpy as np

    pairs = truth * classes + logits.argmax(axis=1)
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
