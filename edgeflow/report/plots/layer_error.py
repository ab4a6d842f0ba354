"""How far each layer's output is from float, and what of that the layer itself adds."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeflow.report.plots.build import Plot
from edgeflow.report.plots.style import figure, note
from edgeflow.report.quantization import Quantization
from edgeflow.report.theme import MUTED, SERIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_NAMED = 60


def draw_all(quantizations: Sequence[Quantization], folder: Path) -> dict[str, Plot]:
    """Draw a plot for each model and recipe with integer layers; return them by name."""
    drawn = [item for item in quantizations if item.layers]
    for item in drawn:
        draw(item, folder / f"{item.name}.svg")
    plots = [
        Plot(
            name=item.name,
            alt=f"Signal to quantization noise of {len(item.layers)} layers of {item.model} after "
            f"{item.recipe}, in dB. Figures in the table below.",
        )
        for item in drawn
    ]
    return {plot.name: plot for plot in plots}


def draw(quantization: Quantization, path: Path) -> None:
    """Draw SQNR of each layer's output, and that of the error the layer adds, top to bottom."""
    layers = quantization.layers
    step = 0.24 if len(layers) <= _MOST_NAMED else 0.1
    with figure(path, 9.2, 1.3 + step * len(layers)) as drawing:
        if not any(layer["sqnr_db"] is not None for layer in layers):
            note(drawing, "no layer differs from float")
            return
        axis = drawing.add_subplot()
        hurting = set(quantization.figures["hurting"])
        limit = float(quantization.figures["hurts_below_db"])
        axis.axvline(limit, color=MUTED.light, linewidth=0.8, linestyle="--", zorder=0)
        _points(axis, layers, hurting)
        _dress(axis, layers)
        drawing.legend(loc="outside lower left", ncols=3)


def _points(axis: "Axes", layers: Sequence[Mapping[str, Any]], hurting: set[str]) -> None:
    kinds: tuple[tuple[str, str, bool | None, dict[str, Any]], ...] = (
        ("added by a layer that hurts", "own_sqnr_db", True, {"color": SERIES[1].light}),
        ("added by the layer", "own_sqnr_db", False, {"color": SERIES[0].light}),
        ("output, all layers so far", "sqnr_db", None, {"color": MUTED.light, "fillstyle": "none"}),
    )
    for label, key, hurts, style in kinds:
        points = [
            (layer[key], place)
            for place, layer in enumerate(layers)
            if layer[key] is not None and hurts in (None, layer["name"] in hurting)
        ]
        if points:
            across, down = zip(*points, strict=True)
            axis.plot(across, down, "o", markersize=5, label=label, **style)


def _dress(axis: "Axes", layers: Sequence[Mapping[str, Any]]) -> None:
    kept = {"float32": " (float)"}
    if len(layers) <= _MOST_NAMED:
        names = [f"{layer['name']}{kept.get(layer['dtype'], '')}" for layer in layers]
        axis.set_yticks(range(len(layers)), names)
    else:
        axis.set_ylabel("layer")
    axis.set_ylim(len(layers) - 0.4, -0.6)
    axis.set_xlabel("signal to quantization noise, dB; more is better")
    axis.tick_params(axis="y", length=0)
    axis.grid(visible=True, axis="x")
