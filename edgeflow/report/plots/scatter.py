"""The metric on the device against what it costs, a panel per model."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeflow.figures.figure import Figure
from edgeflow.report.excerpt import POINTS, telling
from edgeflow.report.pareto import Front
from edgeflow.report.plots.gate_lines import draw_gates
from edgeflow.report.plots.labels import place_labels
from edgeflow.report.plots.style import figure, note, plain_log
from edgeflow.report.rows import Row
from edgeflow.report.text import metric_title
from edgeflow.report.theme import INK, MUTED, SERIES, SURFACE, series_index
from edgeflow.tasks.registry import METRICS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing
    from matplotlib.lines import Line2D

_MARKERS = "osD^vPX*<>ph"
_MOST_PANELS = 12
_LOG_FROM = 8
"""Ratio of the largest to the smallest cost from which the axis is logarithmic."""
_LEAST_POINTS = 0.25
"""Percentage points above and below the points: equal accuracies are not spread out."""
_LEAST_SHARE = 0.05
"""The same for metrics in other units, as a share of the largest."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """What a good metric is paid for with: the horizontal axis.

    Attributes:
        label: of the axis, with its unit.
        figure: where a row stands.
        whisker: where a line from the point ends.
        front: the Pareto front to draw.
    """

    label: str
    figure: Figure
    front: Front
    whisker: Figure | None = None

    @property
    def figures(self) -> list[Figure]:
        """What the axis shows; the limits on them are drawn."""
        return [self.figure, *([self.whisker] if self.whisker else [])]

    def x(self, row: Row) -> float:
        """Return where a row stands; NaN if that was not measured."""
        return _scaled(row.figure(self.figure.name), self.figure.scale)

    def end(self, row: Row) -> float:
        """Return where its whisker ends; NaN if it has none."""
        if self.whisker is None:
            return math.nan
        return _scaled(row.figure(self.whisker.name), self.whisker.scale)


def _scaled(value: float | None, scale: float) -> float:
    return math.nan if value is None else value * scale


def _y(row: Row) -> float:
    return _scaled(row.metric_device, METRICS[row.metric].level.scale) if row.metric else math.nan


def draw_scatter(rows: Sequence[Row], cost: Cost, path: Path) -> None:
    """Draw all measured rows, up to a limit: colour is the target, shape the recipe."""
    known = [row for row in rows if not math.isnan(cost.x(row) + _y(row))]
    shown = telling(known, POINTS)
    panels = _panels(shown)
    columns = min(len(panels), 2)
    height = math.ceil(len(panels) / 2) * 3.5 + 0.7
    with figure(path, 9.2, height if shown else 1.2) as drawing:
        if not shown:
            what = f"no {cost.figure.title}" if any(row.measured for row in rows) else "nothing"
            note(drawing, f"{what} was measured on a device")
            return
        colours, markers = _keys(rows)
        grid = drawing.subplots(math.ceil(len(panels) / 2), columns, squeeze=False)
        for axis, (title, group) in zip(grid.flat, panels.items(), strict=False):
            _panel(axis, title, group, cost, colours, markers)
        for axis in grid.flat[len(panels) :]:
            axis.set_visible(False)
        _legend(drawing, cost, colours, markers)
        drawing.draw_without_rendering()
        for axis, group in zip(grid.flat, panels.values(), strict=False):
            best = {id(row) for front in cost.front.of(group).values() for row in front}
            ordered = sorted(group, key=lambda row: id(row) not in best)
            points = [(cost.x(row), _y(row), row.device) for row in ordered]
            place_labels(axis, points, _whiskers(group, cost))


def _panels(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Group by model: metrics of different data are not to be compared; of many, by metric."""
    models, metrics = dict[str, list[Row]](), dict[str, list[Row]]()
    for row in rows:
        models.setdefault(row.model, []).append(row)
        title = f"all models with {metric_title(row.metric, unit=False)}"
        metrics.setdefault(title, []).append(row)
    return models if len(models) <= _MOST_PANELS else metrics


def _keys(rows: Sequence[Row]) -> tuple[dict[str, str], dict[str, str]]:
    targets = series_index(row.target for row in rows)
    colours = {name: SERIES[index].light for name, index in targets.items()}
    recipes = dict.fromkeys(row.recipe for row in rows)
    return colours, {name: _MARKERS[i % len(_MARKERS)] for i, name in enumerate(recipes)}


def _panel(
    axis: "Axes",
    title: str,
    rows: Sequence[Row],
    cost: Cost,
    colours: dict[str, str],
    markers: dict[str, str],
) -> None:
    axis.set_title(title)
    axis.set_xlabel(cost.label)
    level = METRICS[str(rows[0].metric)].level
    axis.set_ylabel(f"{level.title} on the device" + (f", {level.unit}" if level.unit else ""))
    axis.grid(visible=True)
    for target, front in cost.front.of(rows).items():
        _front(axis, front, cost, colours[target] if target else MUTED.light)
    for (target, recipe), some in _alike(rows).items():
        _points(axis, some, cost, colours[target], markers[recipe])
    axis.margins(x=0.12)
    axis.ticklabel_format(useOffset=False)
    farthest = max(x for row in rows for x in (cost.x(row), cost.end(row)) if not math.isnan(x))
    heights = [*map(_y, rows), *draw_gates(axis, rows, cost.figures, farthest)]
    room = max(0.18 * (max(heights) - min(heights)), _least_room(level, heights))
    axis.set_ylim(min(heights) - room, max(heights) + room)
    low, high = axis.dataLim.x0, axis.dataLim.x1
    if low > 0 and high / low > _LOG_FROM:
        plain_log(axis)


def _least_room(metric: Figure, heights: Sequence[float]) -> float:
    return _LEAST_POINTS if metric.unit == "%" else _LEAST_SHARE * max(map(abs, heights)) or 1.0


def _front(axis: "Axes", front: Sequence[Row], cost: Cost, colour: str) -> None:
    xs, ys = [cost.x(row) for row in front], [_y(row) for row in front]
    # In pieces: names keep clear of the box around a line, and that of all steps is the plot.
    steps: Any = {"colors": colour, "linewidth": 1, "linestyle": (0, (1, 2))}
    axis.hlines(ys[:-1], xs[:-1], xs[1:], **steps)
    axis.vlines(xs[1:], ys[:-1], ys[1:], **steps)
    axis.scatter(xs, ys, s=130, facecolors="none", edgecolors=INK.light, linewidths=0.9)


def _alike(rows: Sequence[Row]) -> dict[tuple[str, str], list[Row]]:
    """Group rows that look the same: an artist for each row would take seconds of a thousand."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.target, row.recipe), []).append(row)
    return groups


def _points(axis: "Axes", rows: Sequence[Row], cost: Cost, colour: str, marker: str) -> None:
    xs, ys, ends = ([at(row) for row in rows] for at in (cost.x, _y, cost.end))
    axis.hlines(ys, xs, ends, colors=colour, linewidth=1.2)
    axis.scatter(
        xs, ys, s=49, marker=marker, color=colour, edgecolors=SURFACE.light, linewidths=1, zorder=2
    )


def _whiskers(rows: Sequence[Row], cost: Cost) -> list[tuple[float, float, float]]:
    """Return where each whisker starts and ends, and how high it is."""
    found = [(cost.x(row), cost.end(row), _y(row)) for row in rows]
    return [whisker for whisker in found if not math.isnan(whisker[1])]


def _legend(
    drawing: "Drawing", cost: Cost, colours: dict[str, str], markers: dict[str, str]
) -> None:
    handles = [_key(name, "o", colour) for name, colour in colours.items()]
    handles += [_key(name, marker, MUTED.light) for name, marker in markers.items()]
    scope = " of its target" if cost.front.per_target else ""
    ring = _key(f"{cost.front.name}{scope}", "o", "none")
    ring.set_markeredgecolor(INK.light)
    handles.append(ring)
    drawing.legend(
        handles=handles, loc="outside lower left", ncols=min(len(handles), 8), handletextpad=0.2
    )


def _key(name: str, marker: str, colour: str) -> "Line2D":
    from matplotlib.lines import Line2D

    return Line2D([], [], linestyle="none", marker=marker, color=colour, label=name, markersize=7)
