"""The metric on the device against the size of the packed model."""

from collections.abc import Sequence
from pathlib import Path

from edgeflow.figures.table import figure
from edgeflow.report.pareto import METRIC_SIZE
from edgeflow.report.plots.scatter import Cost, draw_scatter
from edgeflow.report.rows import Row

PACKED_SIZE = Cost(
    label="compiled model after entropy coding, KiB",
    figure=figure("model_packed_bytes"),
    front=METRIC_SIZE,
)


def draw(rows: Sequence[Row], path: Path) -> None:
    """Draw all measured rows, with a front for each target: formats differ in size."""
    draw_scatter(rows, PACKED_SIZE, path)
