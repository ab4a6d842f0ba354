"""Figures as people read them; the unit stands in the column's header or beside the figure."""

from collections.abc import Mapping
from dataclasses import dataclass

from edgeflow.validate.gates import GateResult

NONE = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"


def adaptive(value: float | None) -> str:
    """Format with about three significant digits, never in scientific notation."""
    if value is None:
        return NONE
    size = abs(value)
    digits = 4 if size < 0.1 else 3 if size < 1 else 2 if size < 10 else 1 if size < 100 else 0
    return f"{value:,.{digits}f}"


def percent(share: float | None, digits: int = 2) -> str:
    """Format a share of 0..1 in percent, without the sign."""
    return NONE if share is None else f"{100 * share:.{digits}f}"


def points(share: float | None) -> str:
    """Format a difference of shares in percentage points, with its sign."""
    if share is None:
        return NONE
    value = round(100 * share, 2) + 0.0  # no "-0.00"
    return f"{value:+.2f}".replace("-", MINUS) if value else "0.00"


def decibels(value: float | None) -> str:
    """Format a ratio in dB, without the unit."""
    return NONE if value is None else f"{value:.1f}".replace("-", MINUS)


def kib(size_bytes: float | None) -> str:
    """Format a size in KiB, without the unit."""
    return NONE if size_bytes is None else f"{size_bytes / 1024:,.1f}"


def metric_title(metric: str | None) -> str:
    """Return the name of a metric, as it stands before or after a figure."""
    return "AUC" if metric == "auc" else "accuracy"


_TITLES = {
    "accuracy_test": "Test accuracy",
    "cpu": "CPU",
    "temperature_c": "Temperature, °C",
}


def title(name: str) -> str:
    """Turn the name of a fact or condition into words, for example ``best_epoch``."""
    return _TITLES.get(name, name.replace("_", " ").capitalize())


@dataclass(frozen=True, kw_only=True, slots=True)
class _Kind:
    title: str
    unit: str
    scale: float = 1.0


_KINDS: Mapping[str, _Kind] = {
    "accuracy": _Kind(title="accuracy", unit="%", scale=100),
    "accuracy_drop": _Kind(title="accuracy drop", unit="pt", scale=100),
    "parity": _Kind(title="parity", unit="%", scale=100),
    "latency_p50_ms": _Kind(title="latency p50", unit="ms"),
    "latency_p90_ms": _Kind(title="latency p90", unit="ms"),
    "latency_p99_ms": _Kind(title="latency p99", unit="ms"),
    "peak_rss_mb": _Kind(title="peak RSS", unit="MB"),
    "model_bytes": _Kind(title="model size", unit="KiB", scale=1 / 1024),
    "bundle_bytes": _Kind(title="bundle size", unit="KiB", scale=1 / 1024),
    "model_packed_bytes": _Kind(title="packed model size", unit="KiB", scale=1 / 1024),
    "bundle_packed_bytes": _Kind(title="packed bundle size", unit="KiB", scale=1 / 1024),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class GateText:
    """A gate in words: title, sign of the relation asked for, figures with units."""

    title: str
    sign: str
    limit: str
    measured: str
    passed: bool
    verdict: str


def gate_text(check: GateResult) -> GateText:
    """Put a checked gate into words, for example ``latency p90``, ``≤``, ``20.0 ms``."""
    name, _, bound = check.name.rpartition("_")
    kind = _KINDS.get(name, _Kind(title=check.name, unit=""))

    def show(value: float | None) -> str:
        if value is None:
            return "not measured"
        shown = value * kind.scale
        text = f"{shown:.2f}" if kind.unit in {"%", "pt"} else adaptive(shown)
        return f"{text.replace('-', MINUS)} {kind.unit}".rstrip()

    return GateText(
        title=kind.title,
        sign="≥" if bound == "min" else "≤",
        limit=show(check.limit),
        measured=show(check.measured),
        passed=check.passed,
        verdict="pass" if check.passed else "fail",
    )
