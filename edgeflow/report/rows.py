"""What was measured, as one tidy row per deployment and device."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgeflow.errors import IntegrityError
from edgeflow.validate.gates import GateResult, check_gates
from edgeflow.validate.schema import Validation

Matrix = Sequence[Sequence[int]]
"""Confusion matrix: counts by true class (row) and predicted class (column)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A model after a recipe, on one device; a figure that was not measured is None.

    Attributes:
        metric: what the accuracies are: ``accuracy``, or ``auc`` for anomalies.
        accuracy_baseline: of the trained model; the others follow it through the stages.
        parity: share of samples whose output equals the host's reference, 0..1.
        checks: each gate of the deployment against its figure; empty if not measured.
        limits: the gates asked for, by name.
        labels: class names, in the order of the confusion matrices.
    """

    model: str
    recipe: str
    target: str
    device: str
    measured: bool = False
    limits: Mapping[str, float] = field(default_factory=dict)
    checks: tuple[GateResult, ...] = ()
    metric: str | None = None
    accuracy_baseline: float | None = None
    accuracy_recipe: float | None = None
    accuracy_compiled: float | None = None
    accuracy_device: float | None = None
    parity: float | None = None
    parity_max_abs: float | None = None
    parity_tolerance: float | None = None
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
    model_packed_bytes: int | None = None
    bundle_packed_bytes: int | None = None
    samples: int | None = None
    engine: str | None = None
    bundle_sha256: str | None = None
    transport: str | None = None
    labels: tuple[str, ...] = ()
    confusion_baseline: Matrix = ()
    confusion_device: Matrix = ()
    conditions: Mapping[str, Any] = field(default_factory=dict)

    @property
    def gates_passed(self) -> bool | None:
        """Whether all gates hold; None if nothing was measured or no gate was set."""
        return all(check.passed for check in self.checks) if self.checks else None

    @property
    def same_bytes(self) -> bool:
        """Whether each output of the device equals the host's, to the last bit."""
        return self.parity == 1.0 and self.parity_max_abs == 0.0

    @property
    def accuracy_change(self) -> float | None:
        """Accuracy on the device minus that of the trained model."""
        if self.accuracy_baseline is None or self.accuracy_device is None:
            return None
        return self.accuracy_device - self.accuracy_baseline

    @property
    def status(self) -> str:
        """``passed``, ``failed``, ``no gates`` or ``not measured``."""
        if not self.measured:
            return "not measured"
        return {True: "passed", False: "failed", None: "no gates"}[self.gates_passed]


def _figures(validation: Validation) -> dict[str, Any]:
    latency, parity = validation.latency_ms, validation.parity
    times = ("p50", "p90", "p99")
    return {
        "metric": validation.metric,
        **{f"accuracy_{stage}": share for stage, share in validation.accuracy},
        **dict(validation.sizes),
        "parity": parity.share,
        "parity_max_abs": parity.max_abs,
        "parity_tolerance": parity.tolerance,
        "first_divergence": validation.first_divergence,
        **{f"latency_{name}_ms": latency and getattr(latency, name) for name in times},
        "latency_runs": latency and latency.runs,
        "load_time_ms": validation.load_time_ms,
        "peak_rss_mb": validation.peak_rss_mb,
        "samples": validation.samples,
        "engine": validation.conditions.engine,
        "bundle_sha256": validation.bundle_sha256,
        "transport": validation.transport,
        "labels": tuple(validation.labels),
        "confusion_baseline": validation.confusion.baseline,
        "confusion_device": validation.confusion.device,
        "conditions": validation.conditions.model_dump(),
    }


def _read(path: Path) -> Validation | None:
    try:
        return Validation.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise IntegrityError(
            f"{path} cannot be read as a validation: {error}",
            hint=f"delete {path} and run `snakemake` again",
        ) from error


def _row(unit: Mapping[str, Any], results: Path) -> Row:
    names: dict[str, Any] = {key: str(unit[key]) for key in ("model", "recipe", "target", "device")}
    limits = dict(unit["gates"])
    path = results / "devices" / names["device"] / names["model"] / "validation.json"
    validation = _read(path)
    # A file of another recipe or target is left over from before the configuration changed.
    if validation is None or any(getattr(validation, key) != names[key] for key in names):
        return Row(**names, limits=limits)
    checks = tuple(check_gates(validation.model_dump(), limits))
    return Row(**names, limits=limits, measured=True, checks=checks, **_figures(validation))


def load_rows(results: Path, slice_: Mapping[str, Any]) -> list[Row]:
    """Return one row per unit of the report's slice, in their order.

    Raises:
        IntegrityError: a validation.json cannot be read.
    """
    return [_row(unit, results) for unit in slice_["units"]]
