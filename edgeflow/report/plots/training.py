"""Loss and metric over the epochs of one training."""

from pathlib import Path
from typing import TYPE_CHECKING

from edgeflow.report.plots.style import figure
from edgeflow.report.text import metric_title
from edgeflow.report.theme import INK, LINE, MUTED
from edgeflow.report.training import Training
from edgeflow.tasks.registry import METRICS

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(training: Training, path: Path) -> None:
    """Draw loss and metric on training and validation data, and the epoch that was kept.

    A task that keeps none gets the loss alone.
    """
    with figure(path, 9.2, 3.0) as drawing:
        left, right = drawing.subplots(1, 2)
        _curves(left, training, "loss", 1.0)
        left.set_ylabel("loss")
        metric = METRICS[training.metric].level
        if metric.name in training.curves:
            _curves(right, training, metric.name, metric.scale)
            right.set_ylabel(metric_title(metric.name))
            right.set_title(metric.title)
        else:
            right.set_visible(False)
        handles, names = left.get_legend_handles_labels()
        drawing.legend(handles, names, loc="outside lower left", ncols=3)


def _curves(axis: "Axes", training: Training, name: str, scale: float) -> None:
    from matplotlib.ticker import MaxNLocator

    lines = (("training", name, MUTED, "--"), ("validation", f"val_{name}", INK, "-"))
    marker = "o" if len(training.epochs) <= 15 else ""
    for label, curve, tone, dashes in lines:
        values = [value * scale for value in training.curves[curve]]
        axis.plot(
            training.epochs,
            values,
            dashes,
            color=tone.light,
            linewidth=1.4,
            label=label,
            marker=marker,
            markersize=3,
        )
    best = training.facts.get("best_epoch")
    if best is not None:
        axis.axvline(best, color=LINE.light, linewidth=5, zorder=0, label=f"kept: epoch {best}")
    axis.set_title(name)
    axis.set_xlabel("epoch")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.grid(visible=True, axis="y")
