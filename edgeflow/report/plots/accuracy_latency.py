"""Accuracy on the device against its median latency, a panel per model."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgeflow.report.plots.gate_lines import draw_gates
from edgeflow.report.plots.labels import place_labels
from edgeflow.report.plots.style import figure, note, plain_log
from edgeflow.report.rows import Row
from edgeflow.report.text import metric_title
from edgeflow.report.theme import INK, MUTED, SERIES, SURFACE, series_index

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

_MARKERS = "osD^vPX*<>ph"
_MOST_PANELS = 12
_LOG_FROM = 8
"""Ratio of the longest to the shortest latency from which the axis is logarithmic."""
_LEAST_ROOM = 0.25
"""Percentage points above and below the points: equal accuracies are not spread out."""


def pareto(rows: Sequence[Row]) -> list[Row]:
    """Return the rows that no other beats in both latency and accuracy, fastest first."""
    front: list[Row] = []
    for row in sorted(rows, key=lambda row: (_x(row), -_y(row))):
        if not front or _y(row) > _y(front[-1]):
            front.append(row)
    return front


def draw(rows: Sequence[Row], path: Path) -> None:
    """Draw all measured rows: colour is the target, shape the recipe, whisker p50 to p90."""
    shown = [row for row in rows if not math.isnan(_x(row) + _y(row))]
    panels = _panels(shown)
    columns = min(len(panels), 2)
    height = math.ceil(len(panels) / 2) * 3.5 + 0.7
    with figure(path, 9.2, height if shown else 1.2) as drawing:
        if not shown:
            note(drawing, "nothing was measured on a device")
            return
        colours, markers = _keys(rows)
        grid = drawing.subplots(math.ceil(len(panels) / 2), columns, squeeze=False)
        for axis, (title, group) in zip(grid.flat, panels.items(), strict=False):
            _panel(axis, title, group, colours, markers)
        for axis in grid.flat[len(panels) :]:
            axis.set_visible(False)
        _legend(drawing, colours, markers)
        drawing.draw_without_rendering()
        for axis, group in zip(grid.flat, panels.values(), strict=False):
            best = pareto(group)
            ordered = best + [row for row in group if row not in best]
            place_labels(axis, [(_x(row), _y(row), row.device) for row in ordered])


def _x(row: Row) -> float:
    return math.nan if row.latency_p50_ms is None else row.latency_p50_ms


def _y(row: Row) -> float:
    return math.nan if row.accuracy_device is None else 100 * row.accuracy_device


def _panels(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Group by model: accuracies of different data are not to be compared."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.model, []).append(row)
    return groups if len(groups) <= _MOST_PANELS else {"all models": list(rows)}


def _keys(rows: Sequence[Row]) -> tuple[dict[str, str], dict[str, str]]:
    targets = series_index(row.target for row in rows)
    colours = {name: SERIES[index].light for name, index in targets.items()}
    recipes = dict.fromkeys(row.recipe for row in rows)
    return colours, {name: _MARKERS[i % len(_MARKERS)] for i, name in enumerate(recipes)}


def _panel(
    axis: "Axes",
    title: str,
    rows: Sequence[Row],
    colours: dict[str, str],
    markers: dict[str, str],
) -> None:
    axis.set_title(title)
    axis.set_xlabel("latency on the device, ms (marker p50, whisker to p90)")
    names = sorted({metric_title(row.metric) for row in rows}, reverse=True)
    axis.set_ylabel(f"{' or '.join(names)} on the device, %")
    axis.grid(visible=True)
    front = pareto(rows)
    xs, ys = [_x(row) for row in front], [_y(row) for row in front]
    axis.step(xs, ys, where="post", color=MUTED.light, linewidth=1, linestyle=(0, (1, 2)))
    axis.scatter(xs, ys, s=130, facecolors="none", edgecolors=INK.light, linewidths=0.9)
    for row in rows:
        _point(axis, row, colours[row.target], markers[row.recipe])
    axis.margins(x=0.12)
    axis.ticklabel_format(useOffset=False)
    heights = [*map(_y, rows), *draw_gates(axis, rows)]
    room = max(0.18 * (max(heights) - min(heights)), _LEAST_ROOM)
    axis.set_ylim(min(heights) - room, max(heights) + room)
    low, high = axis.dataLim.x0, axis.dataLim.x1
    if low > 0 and high / low > _LOG_FROM:
        plain_log(axis)


def _point(axis: "Axes", row: Row, colour: str, marker: str) -> None:
    if row.latency_p90_ms is not None:
        axis.plot([_x(row), row.latency_p90_ms], [_y(row)] * 2, color=colour, linewidth=1.2)
    axis.plot(
        [_x(row)], [_y(row)], marker, color=colour, markersize=7, markeredgecolor=SURFACE.light
    )


def _legend(drawing: "Figure", colours: dict[str, str], markers: dict[str, str]) -> None:
    handles = [_key(name, "o", colour) for name, colour in colours.items()]
    handles += [_key(name, marker, MUTED.light) for name, marker in markers.items()]
    ring = _key("Pareto front", "o", "none")
    ring.set_markeredgecolor(INK.light)
    handles.append(ring)
    drawing.legend(
        handles=handles, loc="outside lower left", ncols=min(len(handles), 8), handletextpad=0.2
    )


def _key(name: str, marker: str, colour: str) -> "Line2D":
    from matplotlib.lines import Line2D

    return Line2D([], [], linestyle="none", marker=marker, color=colour, label=name, markersize=7)
