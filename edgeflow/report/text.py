"""Figures as people read them; the unit stands in the column's header or beside the figure."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from edgeflow.figures.figure import Figure
from edgeflow.tasks.registry import METRICS
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


_TITLES = {
    "metric_test": "Metric on the test set",
    "metric_validation": "Metric on the validation set",
    "cpu": "CPU",
    "temperature_c": "Temperature, °C",
    "idle_power_w": "Idle power, W",
}


def title(name: str) -> str:
    """Turn the name of a fact or condition into words, for example ``best_epoch``."""
    return _TITLES.get(name, name.replace("_", " ").capitalize())


def fact(value: object) -> str:
    """Format a fact or condition that a device told."""
    if value is None:
        return "not known"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return adaptive(value)
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def shown(figure: Figure, value: float | None) -> str:
    """Format a figure in the unit that people read it in, without the unit."""
    if value is None:
        return NONE
    scaled = value * figure.scale
    text = f"{scaled:.2f}" if figure.unit in {"%", "pt"} else _number(figure, scaled)
    return text.replace("-", MINUS) if text.strip("-0.") else text.lstrip("-")


def _number(figure: Figure, scaled: float) -> str:
    whole = figure.counts and float(scaled).is_integer()
    return f"{scaled:,.0f}" if whole else adaptive(scaled)


def metric(name: str | None, value: float | None) -> str:
    """Format a metric, without its unit."""
    return shown(METRICS[name].level, value) if name else NONE


def metric_change(name: str | None, change: float | None) -> str:
    """Format a difference of a metric with its sign, without its unit."""
    if not name or change is None:
        return NONE
    text = shown(METRICS[name].change, change)
    return f"+{text}" if change > 0 and text.strip("0.,") else text


def metric_title(name: str | None, *, unit: bool = True) -> str:
    """Return the name of a metric, with the unit of its figures or not."""
    if not name:
        return "metric"
    figure = METRICS[name].level
    return f"{figure.title}, {figure.unit}" if unit and figure.unit else figure.title


def metrics_title(names: Iterable[str | None]) -> str:
    """Return a title for the metrics of several rows; it begins with a capital letter."""
    titles = {metric_title(name) for name in names if name}
    title = titles.pop() if len(titles) == 1 else "metric"
    return title[0].upper() + title[1:]


@dataclass(frozen=True, kw_only=True, slots=True)
class GateText:
    """A gate in words: title, sign of the relation asked for, figures with units."""

    title: str
    sign: str
    limit: str
    value: str
    passed: bool
    verdict: str


def _exact(figure: Figure, limit: float) -> str:
    """Return a limit as other figures are shown, unless nothing would be left of it."""
    text, scaled = shown(figure, limit), limit * figure.scale
    return text if scaled == 0 or text.strip(f"-{MINUS}0.,") else f"{Decimal(repr(scaled)):f}"


def gate_text(check: GateResult) -> GateText:
    """Put a checked gate into words, for example ``latency p90``, ``≤``, ``20.0 ms``."""
    figure = check.figure

    def show(value: float | None) -> str:
        return "not measured" if value is None else f"{shown(figure, value)} {figure.unit}".rstrip()

    kind = "" if figure.kind == "measured" else f" ({figure.kind})"
    return GateText(
        title=f"{figure.title}{kind}",
        sign="≥" if figure.bound == "min" else "≤",
        limit=f"{_exact(figure, check.limit)} {figure.unit}".rstrip(),
        value=show(check.value),
        passed=check.passed,
        verdict="pass" if check.passed else "fail",
    )
