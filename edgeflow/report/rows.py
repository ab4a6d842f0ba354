"""What was measured, as one tidy row per deployment and device."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgeflow.errors import IntegrityError
from edgeflow.validate.gates import GateResult, check_gates

Matrix = Sequence[Sequence[int]]
"""Confusion matrix: counts by true class (row) and predicted class (column)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A model after a recipe, on one device; a figure that was not measured is None.

    Attributes:
        accuracy_float: of the trained model; the others follow it through the stages.
        parity: share of samples whose output equals the host's reference, 0..1.
        checks: each gate of the deployment against its figure; empty if not measured.
        limits: the gates asked for, by name.
        labels: class names, in the order of the confusion matrices.
        confusion_float: empty if there is none; then `confusion_device` is, too.
    """

    model: str
    recipe: str
    target: str
    device: str
    measured: bool = False
    limits: Mapping[str, float] = field(default_factory=dict)
    checks: tuple[GateResult, ...] = ()
    accuracy_float: float | None = None
    accuracy_host: float | None = None
    accuracy_compiled: float | None = None
    accuracy_device: float | None = None
    parity: float | None = None
    parity_max_abs: float | None = None
    parity_tolerance: float | None = None
    bit_exact: bool | None = None
    first_divergence: str | None = None
    latency_p50_ms: float | None = None
    latency_p90_ms: float | None = None
    latency_p99_ms: float | None = None
    latency_runs: int | None = None
    load_time_ms: float | None = None
    peak_rss_mb: float | None = None
    float_bytes: int | None = None
    recipe_bytes: int | None = None
    model_bytes: int | None = None
    bundle_bytes: int | None = None
    samples: int | None = None
    engine: str | None = None
    bundle_sha256: str | None = None
    transport: str | None = None
    labels: tuple[str, ...] = ()
    confusion_float: Matrix = ()
    confusion_device: Matrix = ()
    conditions: Mapping[str, Any] = field(default_factory=dict)

    @property
    def gates_passed(self) -> bool | None:
        """Whether all gates hold; None if nothing was measured or no gate was set."""
        return all(check.passed for check in self.checks) if self.checks else None

    @property
    def accuracy_change(self) -> float | None:
        """Accuracy on the device minus that of the trained model."""
        if self.accuracy_float is None or self.accuracy_device is None:
            return None
        return self.accuracy_device - self.accuracy_float

    @property
    def status(self) -> str:
        """``passed``, ``failed``, ``no gates`` or ``not measured``."""
        if not self.measured:
            return "not measured"
        return {True: "passed", False: "failed", None: "no gates"}[self.gates_passed]


_PATHS: Mapping[str, tuple[str, ...]] = {
    "accuracy_float": ("accuracy", "float"),
    "accuracy_host": ("accuracy", "host"),
    "accuracy_compiled": ("accuracy", "compiled"),
    "accuracy_device": ("accuracy", "device"),
    "parity": ("parity", "share"),
    "parity_max_abs": ("parity", "max_abs"),
    "parity_tolerance": ("parity", "tolerance"),
    "bit_exact": ("parity", "bit_exact"),
    "first_divergence": ("first_divergence",),
    "latency_p50_ms": ("latency_ms", "p50"),
    "latency_p90_ms": ("latency_ms", "p90"),
    "latency_p99_ms": ("latency_ms", "p99"),
    "latency_runs": ("latency_ms", "runs"),
    "load_time_ms": ("load_time_ms",),
    "peak_rss_mb": ("peak_rss_mb",),
    "float_bytes": ("sizes", "float_bytes"),
    "recipe_bytes": ("sizes", "recipe_bytes"),
    "model_bytes": ("sizes", "model_bytes"),
    "bundle_bytes": ("sizes", "bundle_bytes"),
    "samples": ("samples",),
    "engine": ("conditions", "engine"),
    "bundle_sha256": ("bundle_sha256",),
    "transport": ("transport",),
}


def _dig(value: Any, path: Sequence[str]) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _read(path: Path) -> dict[str, Any] | None:
    try:
        validation = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise _unreadable(path, str(error)) from error
    if not isinstance(validation, dict) or validation.get("format") != 1:
        raise _unreadable(path, "it is not in format 1")
    return validation


def _unreadable(path: Path, why: str) -> IntegrityError:
    return IntegrityError(
        f"{path} cannot be read as a validation: {why}",
        hint=f"delete {path} and run `snakemake` again",
    )


def _row(unit: Mapping[str, Any], results: Path) -> Row:
    names = {key: str(unit[key]) for key in ("model", "recipe", "target", "device")}
    limits = dict(unit["gates"])
    path = results / "devices" / names["device"] / names["model"] / "validation.json"
    validation = _read(path)
    # A file of another recipe or target is left over from before the configuration changed.
    if validation is None or any(validation.get(key) != name for key, name in names.items()):
        return Row(**names, limits=limits)
    figures = {name: _dig(validation, path) for name, path in _PATHS.items()}
    return Row(
        **names,
        **figures,
        measured=True,
        limits=limits,
        checks=tuple(check_gates(validation, limits)),
        labels=tuple(str(label) for label in validation.get("labels") or ()),
        **_confusion(validation),
        conditions=validation.get("conditions") or {},
    )


def _confusion(validation: Mapping[str, Any]) -> dict[str, Any]:
    """Return both matrices, or none: one alone cannot be compared."""
    before, after = (_dig(validation, ("confusion", stage)) for stage in ("float", "device"))
    return {"confusion_float": before, "confusion_device": after} if before and after else {}


def load_rows(results: Path, options: Mapping[str, Any]) -> list[Row]:
    """Return one row per unit of the report's options, in their order.

    Raises:
        IntegrityError: a validation.json cannot be read.
    """
    return [_row(unit, results) for unit in options["units"]]
