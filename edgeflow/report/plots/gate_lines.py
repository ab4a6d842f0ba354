"""Gates as lines in the plot of accuracy against latency."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from edgeflow.report.rows import Row
from edgeflow.report.text import adaptive
from edgeflow.report.theme import INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST = 3
"""Different limits of one kind that are drawn; of more, only the strictest."""
_FAR = 10
"""A limit so many times the slowest row would squeeze the rows: it is named, not drawn."""
_SIZE = 7.5


def accuracy_floor(row: Row) -> float | None:
    """Return the least accuracy that the row's gates allow, in percent."""
    floors = []
    if "accuracy_min" in row.limits:
        floors.append(row.limits["accuracy_min"])
    if "accuracy_drop_max" in row.limits and row.accuracy_float is not None:
        floors.append(row.accuracy_float - row.limits["accuracy_drop_max"])
    return 100 * max(floors) if floors else None


def draw_gates(axis: "Axes", rows: Sequence[Row]) -> list[float]:
    """Draw the distinct limits on accuracy, p50 and p90; return the accuracies drawn."""
    found = {round(floor, 6) for floor in map(accuracy_floor, rows) if floor is not None}
    floors = sorted(found, reverse=True)
    drawn = floors if len(floors) <= _MOST else floors[:1]
    for floor in drawn:
        axis.axhline(floor, color=INK.light, linewidth=0.8, linestyle="--")
        _write_below(axis, f"accuracy ≥ {floor:.2f} %{_strictest(floors)}", floor)
    _draw_latencies(axis, rows)
    return drawn


def _draw_latencies(axis: "Axes", rows: Sequence[Row]) -> None:
    slowest = max(max(row.latency_p50_ms or 0, row.latency_p90_ms or 0) for row in rows)
    far = []
    for percentile in ("p50", "p90"):
        name = f"latency_{percentile}_ms_max"
        limits = sorted({row.limits[name] for row in rows if name in row.limits})
        for limit in limits if len(limits) <= _MOST else limits[:1]:
            text = f"{percentile} ≤ {adaptive(limit)} ms{_strictest(limits)}"
            if limit > _FAR * slowest:
                far.append(f"{text} →")
                continue
            axis.axvline(limit, color=INK.light, linewidth=0.8, linestyle="--")
            _write_right(axis, text, limit)
    _write_at_edge(axis, "\n".join(far))


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
