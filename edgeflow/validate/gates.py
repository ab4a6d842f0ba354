"""Gates: measured figures against the limits of a deployment."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Validation = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class GateResult:
    """One limit and what was measured; `measured` is None where the figure cannot exist."""

    name: str
    limit: float
    measured: float | None
    passed: bool

    def __str__(self) -> str:
        figure = "not measured" if self.measured is None else f"{self.measured:.6g}"
        sign = ">=" if self.name.endswith("_min") else "<="
        return f"{self.name}: {figure} (must be {sign} {self.limit:g})"


def _accuracy_drop(validation: Validation) -> float:
    accuracy = validation["accuracy"]
    # Shares of a finite test set: without rounding 0.99 - 0.98 would miss a gate of 0.01.
    drop: float = round(accuracy["baseline"] - accuracy["device"], 9)
    return drop


def _latency(percentile: str) -> Callable[[Validation], float | None]:
    return lambda validation: (validation["latency_ms"] or {}).get(percentile)


MEASURES: Mapping[str, Callable[[Validation], float | None]] = {
    "accuracy_min": lambda v: v["accuracy"]["device"],
    "accuracy_drop_max": _accuracy_drop,
    "parity_min": lambda v: v["parity"]["share"],
    "latency_p50_ms_max": _latency("p50"),
    "latency_p90_ms_max": _latency("p90"),
    "latency_p99_ms_max": _latency("p99"),
    "peak_rss_mb_max": lambda v: v["peak_rss_mb"],
    "model_bytes_max": lambda v: v["sizes"]["model_bytes"],
    "bundle_bytes_max": lambda v: v["sizes"]["bundle_bytes"],
    "model_packed_bytes_max": lambda v: v["sizes"]["model_packed_bytes"],
    "bundle_packed_bytes_max": lambda v: v["sizes"]["bundle_packed_bytes"],
}
"""How each gate of the configuration reads its figure from validation.json."""


def check_gates(validation: Validation, gates: Mapping[str, float]) -> list[GateResult]:
    """Return the outcome of each gate, in the order of their names.

    A figure that was not measured fails its gate: what is not known is not met.
    """
    return [
        _check(name, limit, MEASURES[name](validation)) for name, limit in sorted(gates.items())
    ]


def _check(name: str, limit: float, measured: float | None) -> GateResult:
    if measured is None:
        passed = False
    elif name.endswith("_min"):
        passed = measured >= limit
    else:
        passed = measured <= limit
    return GateResult(name=name, limit=limit, measured=measured, passed=passed)
