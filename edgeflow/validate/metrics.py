"""Figures from raw outputs: parity, percentiles, first stage that diverges."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Outputs = NDArray[np.float32]

AGREEMENT_MIN = 0.99
"""A stage diverges where it decides otherwise than the stage before for more than 1 %."""

STAGES = ("baseline", "recipe", "compiled", "device")


def parity(
    device: Mapping[str, "Outputs"],
    reference: Mapping[str, "Outputs"],
    tolerances: Mapping[str, float],
) -> dict[str, Any]:
    """Compare a device's outputs with the host's reference, sample by sample.

    Args:
        device: dequantized, each float32 (n, *shape), by name.
        reference: the same from the host's engine.
        tolerances: largest absolute difference of each output that counts as equal.

    Returns:
        ``share`` of samples that are equal in all outputs, the largest difference ``max_abs`` of
        any, and ``outputs``: both figures of each, and its tolerance.
    """
    import numpy as np

    differences = {
        name: np.abs(values - reference[name]).reshape(len(values), -1).max(axis=1)
        for name, values in device.items()
    }
    equal = {name: found <= tolerances[name] for name, found in differences.items()}
    return {
        "share": float(np.all(list(equal.values()), axis=0).mean()),
        "max_abs": max(float(found.max()) for found in differences.values()),
        "outputs": {
            name: {
                "share": float(equal[name].mean()),
                "max_abs": float(found.max()),
                "tolerance": tolerances[name],
            }
            for name, found in differences.items()
        },
    }


def first_divergence(agreement: Callable[[str, str], float]) -> str:
    """Return the first stage that disagrees with the one before it, or ``none``.

    Args:
        agreement: returns the share of samples for which two stages decide alike.
    """
    for before, stage in pairwise(STAGES):
        if agreement(before, stage) < AGREEMENT_MIN:
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


def stratified_indices(strata: "NDArray[np.int64]", samples: int | None) -> "NDArray[np.int64]":
    """Return the positions of `samples` test samples, each stratum with its share, in order."""
    import numpy as np

    total = len(strata)
    if samples is None or samples >= total:
        return np.arange(total)
    grouped = np.argsort(strata, kind="stable")
    picks = np.linspace(0, total - 1, samples).round().astype(np.int64)
    result: NDArray[np.int64] = np.sort(grouped[picks])
    return result
