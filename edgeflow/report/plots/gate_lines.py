"""Gates as lines in the plots of a metric against a cost."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from edgeflow.figures.figure import Figure
from edgeflow.report.rows import Row
from edgeflow.report.text import adaptive, shown
from edgeflow.report.theme import INK
from edgeflow.tasks.registry import METRICS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST = 3
"""Different limits of one kind that are drawn; of more, only the strictest."""
_FAR = 10
"""A limit so many times the farthest row would squeeze the rows: it is named, not drawn."""
_SIZE = 7.5


def metric_limit(row: Row) -> float | None:
    """Return the worst metric that the row's gates allow, in the unit that it is shown in."""
    if row.metric is None:
        return None
    metric, limits = METRICS[row.metric], []
    level, change = (row.limits.get(str(f.gate)) for f in (metric.level, metric.change))
    higher = metric.better == "higher"
    if level is not None:
        limits.append(level)
    if change is not None and row.metric_baseline is not None:
        limits.append(row.metric_baseline + (-change if higher else change))
    strictest = max if higher else min
    return metric.level.scale * strictest(limits) if limits else None


def draw_gates(
    axis: "Axes", rows: Sequence[Row], figures: Sequence[Figure], farthest: float
) -> list[float]:
    """Draw the distinct limits on the metric and on the axis; return those on the metric.

    Args:
        rows: with one metric, all of them.
        figures: those that the horizontal axis shows.
        farthest: largest figure of the rows on the horizontal axis.
    """
    level = METRICS[str(rows[0].metric)].level
    found = {round(limit, 6) for limit in map(metric_limit, rows) if limit is not None}
    limits = sorted(found, reverse=level.bound == "min")
    drawn = limits if len(limits) <= _MOST else limits[:1]
    sign = "≥" if level.bound == "min" else "≤"
    for limit in drawn:
        axis.axhline(limit, color=INK.light, linewidth=0.8, linestyle="--")
        value = f"{shown(level, limit / level.scale)} {level.unit}".rstrip()
        _write_below(axis, f"{level.title} {sign} {value}{_strictest(limits)}", limit)
    far = [text for some in figures for text in _draw_limit(axis, rows, some, farthest)]
    _write_at_edge(axis, "\n".join(far))
    return drawn


def _draw_limit(axis: "Axes", rows: Sequence[Row], figure: Figure, farthest: float) -> list[str]:
    """Draw the limits of one figure; return the texts of those too far off to draw."""
    gate = str(figure.gate)
    values = sorted({row.limits[gate] * figure.scale for row in rows if gate in row.limits})
    far = []
    for value in values if len(values) <= _MOST else values[:1]:
        text = f"{figure.column} ≤ {adaptive(value)} {figure.unit}{_strictest(values)}"
        if value > _FAR * farthest:
            far.append(f"{text} →")
            continue
        axis.axvline(value, color=INK.light, linewidth=0.8, linestyle="--")
        _write_right(axis, text, value)
    return far


def _strictest(limits: Sequence[float]) -> str:
    return f" (strictest of {len(limits)})" if len(limits) > _MOST else ""


# Names of lines stand beyond them, where no row is that holds the gate.
def _write_right(axis: "Axes", text: str, x: float) -> None:
    axis.annotate(
        text, (x, 0.98), (3, 0), xycoords=("data", "axes fraction"), textcoords="offset points",
        rotation=90, ha="left", va="top", fontsize=_SIZE, color=INK.light,
    )  # fmt: skip


def _write_below(axis: "Axes", text: str, y: float) -> None:
    axis.annotate(
        text, (0.01, y), (0, -3), xycoords=("axes fraction", "data"), textcoords="offset points",
        ha="left", va="top", fontsize=_SIZE, color=INK.light,
    )  # fmt: skip


def _write_at_edge(axis: "Axes", text: str) -> None:
    axis.text(
        0.99, 0.02, text, transform=axis.transAxes, ha="right", va="bottom", fontsize=_SIZE,
        color=INK.light,
    )  # fmt: skip
