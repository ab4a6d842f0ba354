"""How large a model is at each stage: trained, after its recipe, compiled, bundled; and packed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeflow.report.plots.style import figure, note
from edgeflow.report.rows import Row
from edgeflow.report.theme import INK, LINE, MUTED, SERIES, series_index

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STAGES = {
    "float": "float_bytes",
    "recipe": "recipe_bytes",
    "compiled": "model_bytes",
    "bundle": "bundle_bytes",
}
"""Stage to the figure of its size."""

PACKED = {"compiled": "model_packed_bytes", "bundle": "bundle_packed_bytes"}
"""Stage to the figure of its size after entropy coding."""

# Later stages are more solid; the bundle, which wraps the compiled model, is an outline.
_OPACITY = (0.25, 0.5, 0.9, 0.0)
_BAR = 0.2
_TICK: Mapping[str, Any] = {
    "marker": "|", "markersize": 8, "markeredgewidth": 1.6, "color": INK.light,
}  # fmt: skip
_MOST_WRITTEN = 24
BUILDS = 40
"""Most builds that are drawn."""


def sizes(rows: Sequence[Row]) -> list[Row]:
    """Return one row per model, recipe and target that has sizes: devices do not change them."""
    groups: dict[tuple[str, str, str], Row] = {}
    for row in rows:
        if row.measured:
            groups.setdefault((row.model, row.recipe, row.target), row)
    return list(groups.values())


def draw(rows: Sequence[Row], path: Path) -> None:
    """Draw one group of bars per model, recipe and target, in the target's colour."""
    groups = sizes(rows)[:BUILDS]
    roomy = len(groups) <= _MOST_WRITTEN
    step = 0.66 if roomy else 0.34
    with figure(path, 9.2, 1.0 + step * max(len(groups), 1)) as drawing:
        if not groups:
            note(drawing, "nothing was measured on a device")
            return
        axis = drawing.add_subplot()
        unit, scale = _unit(groups)
        targets = series_index(row.target for row in rows)
        for place, row in enumerate(groups):
            _group(axis, place, row, SERIES[targets[row.target]].light, scale)
            if roomy:
                _write(axis, place, row, scale)
        _dress(axis, groups, unit)
        drawing.legend(handles=_key(), loc="outside lower left", ncols=5)


def _unit(groups: Sequence[Row]) -> tuple[str, float]:
    largest = max(row.figure("bundle_bytes") or row.figure("model_bytes") or 0 for row in groups)
    return ("MiB", 2.0**20) if largest >= 10 * 2**20 else ("KiB", 2.0**10)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Bar:
    """One bar: its stage's number, height on the axis, and lengths in the axis's unit."""

    stage: int
    y: float
    length: float
    packed: float | None

    def __str__(self) -> str:
        packed = "" if self.packed is None else f" ({self.packed:,.1f})"
        return f"{self.length:,.1f}{packed}"


def _bars(place: int, row: Row, scale: float) -> list[_Bar]:
    """Return the bars that exist."""
    bars = []
    for number, (stage, name) in enumerate(STAGES.items()):
        size = row.figure(name)
        packed = row.figure(PACKED[stage]) if stage in PACKED else None
        if size is not None:
            bars.append(
                _Bar(
                    stage=number,
                    y=place + (number - 1.5) * _BAR,
                    length=size / scale,
                    packed=None if packed is None else packed / scale,
                )
            )
    return bars


def _group(axis: "Axes", place: int, row: Row, colour: str, scale: float) -> None:
    for bar in _bars(place, row, scale):
        axis.barh(bar.y, bar.length, height=_BAR * 0.86, **_fill(colour, _OPACITY[bar.stage]))
        if bar.packed is not None:
            axis.plot([bar.packed], [bar.y], **_TICK)


def _write(axis: "Axes", place: int, row: Row, scale: float) -> None:
    for bar in _bars(place, row, scale):
        axis.annotate(
            str(bar),
            (bar.length, bar.y),
            (4, 0),
            textcoords="offset points",
            va="center",
            fontsize=7,
            color=MUTED.light,
        )


def _fill(colour: str, opacity: float) -> Mapping[str, Any]:
    if opacity == 0.0:
        return {"facecolor": "none", "edgecolor": colour, "linewidth": 0.9}
    return {"facecolor": (colour, opacity), "edgecolor": "none"}


def _dress(axis: "Axes", groups: Sequence[Row], unit: str) -> None:
    between = "\n" if len(groups) <= _MOST_WRITTEN else " · "
    names = [f"{row.model} · {row.recipe}{between}{row.target}" for row in groups]
    axis.set_yticks(range(len(groups)), names)
    axis.set_ylim(len(groups) - 0.4, -0.6)
    axis.set_xlabel(f"size, {unit}")
    axis.margins(x=0.1)
    axis.tick_params(axis="y", length=0)
    axis.grid(visible=True, axis="x")
    axis.spines["left"].set_color(LINE.light)


def _key() -> list[Any]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    pairs = zip(STAGES, _OPACITY, strict=True)
    patches = [Patch(label=stage, **_fill(MUTED.light, opacity)) for stage, opacity in pairs]
    return [*patches, Line2D([], [], linestyle="none", label="packed (in brackets)", **_TICK)]
