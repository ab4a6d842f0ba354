"""Loss and accuracy over the epochs of one training."""

from pathlib import Path
from typing import TYPE_CHECKING

from edgeflow.report.plots.style import figure
from edgeflow.report.theme import INK, LINE, MUTED
from edgeflow.report.training import Training

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(training: Training, path: Path) -> None:
    """Draw loss and accuracy on training and validation data, and the epoch that was kept.

    A task without accuracy gets the loss alone.
    """
    with figure(path, 9.2, 3.0) as drawing:
        left, right = drawing.subplots(1, 2)
        _curves(left, training, "loss", 1.0)
        left.set_ylabel("loss")
        if "accuracy" in training.curves:
            _curves(right, training, "accuracy", 100.0)
            right.set_ylabel("accuracy, %")
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
