"""Gates as lines in the plots of accuracy against a cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgeflow.report.rows import Row
from edgeflow.report.text import adaptive
from edgeflow.report.theme import INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST = 3
"""Different limits of one kind that are drawn; of more, only the strictest."""
_FAR = 10
"""A limit so many times the farthest row would squeeze the rows: it is named, not drawn."""
_SIZE = 7.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    """A gate on the horizontal axis.

    Attributes:
        gate: its name in the configuration.
        title: its name at the line.
        unit: of the axis.
        scale: from the gate's unit to the axis's.
    """

    gate: str
    title: str
    unit: str
    scale: float = 1.0


def accuracy_floor(row: Row) -> float | None:
    """Return the least accuracy that the row's gates allow, in percent."""
    floors = []
    if "accuracy_min" in row.limits:
        floors.append(row.limits["accuracy_min"])
    if "accuracy_drop_max" in row.limits and row.accuracy_baseline is not None:
        floors.append(row.accuracy_baseline - row.limits["accuracy_drop_max"])
    return 100 * max(floors) if floors else None


def draw_gates(
    axis: "Axes", rows: Sequence[Row], limits: Sequence[Limit], farthest: float
) -> list[float]:
    """Draw the distinct limits on accuracy and on the axis; return the accuracies drawn.

    Args:
        farthest: largest figure of the rows on the horizontal axis.
    """
    found = {round(floor, 6) for floor in map(accuracy_floor, rows) if floor is not None}
    floors = sorted(found, reverse=True)
    drawn = floors if len(floors) <= _MOST else floors[:1]
    for floor in drawn:
        axis.axhline(floor, color=INK.light, linewidth=0.8, linestyle="--")
        _write_below(axis, f"accuracy ≥ {floor:.2f} %{_strictest(floors)}", floor)
    far = [text for limit in limits for text in _draw_limit(axis, rows, limit, farthest)]
    _write_at_edge(axis, "\n".join(far))
    return drawn


def _draw_limit(axis: "Axes", rows: Sequence[Row], limit: Limit, farthest: float) -> list[str]:
    """Draw the values of one gate; return the texts of those too far off to draw."""
    found = {row.limits[limit.gate] * limit.scale for row in rows if limit.gate in row.limits}
    values, far = sorted(found), []
    for value in values if len(values) <= _MOST else values[:1]:
        text = f"{limit.title} ≤ {adaptive(value)} {limit.unit}{_strictest(values)}"
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
