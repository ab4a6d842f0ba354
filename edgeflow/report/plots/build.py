"""All plots of a report, and what each one says in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeflow.report.excerpt import FIGURES, ROWS, telling
from edgeflow.report.plots import (
    confusion,
    metric_latency,
    metric_size,
    size_by_recipe,
    training,
)
from edgeflow.report.rows import Row
from edgeflow.report.text import metric, metric_title
from edgeflow.report.training import Training


@dataclass(frozen=True, kw_only=True, slots=True)
class Plot:
    """A drawn plot: its file's stem, and the text for who cannot see it."""

    name: str
    alt: str


def draw_plots(rows: Sequence[Row], trainings: Sequence[Training], folder: Path) -> dict[str, Plot]:
    """Draw every plot into `folder`; return them by name.

    Overviews are of all rows; of the plots of one training or deployment each, only some are drawn.
    """
    metric_latency.draw(rows, folder / "metric_latency.svg")
    metric_size.draw(rows, folder / "metric_size.svg")
    size_by_recipe.draw(rows, folder / "size_by_recipe.svg")
    plots = [_metric_latency(rows), _metric_size(rows), _sizes(rows)]
    plots += [_training(item, folder) for item in trainings[:FIGURES]]
    plots += [_confusion(row, folder) for row in drawn_matrices(telling(rows, ROWS))]
    return {plot.name: plot for plot in plots}


def is_drawable(row: Row) -> bool:
    """Return whether a row has confusion matrices that a figure can show."""
    return 0 < len(row.confusion_baseline) <= confusion.MOST_DRAWN


def drawn_matrices(rows: Sequence[Row]) -> list[Row]:
    """Return the rows whose confusion matrices are drawn: of equal ones the first, of many few."""
    having = [row for row in rows if is_drawable(row)]
    distinct = {row.matrices: row for row in reversed(having)}
    return telling([row for row in having if distinct[row.matrices] is row], FIGURES)


def confusion_name(row: Row) -> str:
    """Return the stem of the file with a row's confusion matrices."""
    return f"confusion_{row.model}_{row.recipe}_{row.device}"


def _metric_latency(rows: Sequence[Row]) -> Plot:
    count = sum(row.figure("latency_p50_ms") is not None for row in rows)
    return Plot(
        name="metric_latency",
        alt=f"Scatter plot of the metric on the device against latency for {count} deployments, "
        "coloured by target, with gate lines and the metric-latency front. "
        "Figures in the table of results.",
    )


def _metric_size(rows: Sequence[Row]) -> Plot:
    count = sum(row.figure("model_packed_bytes") is not None for row in rows)
    return Plot(
        name="metric_size",
        alt=f"Scatter plot of the metric on the device against packed model size for {count} "
        "deployments, coloured by target, with gate lines and each target's metric-size front. "
        "Figures in the table of results.",
    )


def _sizes(rows: Sequence[Row]) -> Plot:
    count, most = len(size_by_recipe.sizes(rows)), size_by_recipe.BUILDS
    of = f", of which {most} are drawn" if count > most else ""
    return Plot(
        name="size_by_recipe",
        alt=f"Bars of model size in {count} builds{of}: float, after the recipe, compiled, "
        "bundled; for the last two also how large they are packed. Figures in the table below.",
    )


def _training(item: Training, folder: Path) -> Plot:
    name = f"training_{item.model}"
    training.draw(item, folder / f"{name}.svg")
    return Plot(
        name=name,
        alt=f"{_drawn(item)} of {item.model} over {len(item.epochs)} epochs, on training "
        "and validation data. Figures in the table below.",
    )


def _drawn(item: Training) -> str:
    keeps = item.metric in item.curves
    return f"Loss and {metric_title(item.metric, unit=False)}" if keeps else "Loss"


def _confusion(row: Row, folder: Path) -> Plot:
    name = confusion_name(row)
    confusion.draw(row.labels, row.confusion_baseline, row.confusion_device, folder / f"{name}.svg")
    return Plot(
        name=name,
        alt=f"Confusion matrices of {row.model} after {row.recipe}: float model "
        f"({metric_title(row.metric)}: {metric(row.metric, row.metric_baseline)}), on {row.device} "
        f"({metric(row.metric, row.metric_device)}), and their difference.",
    )
