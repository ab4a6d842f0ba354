"""The metric on the device against its median latency."""

from collections.abc import Sequence
from pathlib import Path

from edgeflow.figures.table import figure
from edgeflow.report.pareto import METRIC_LATENCY
from edgeflow.report.plots.scatter import Cost, draw_scatter
from edgeflow.report.rows import Row

LATENCY = Cost(
    label="latency on the device, ms (marker p50, whisker to p90)",
    figure=figure("latency_p50_ms"),
    whisker=figure("latency_p90_ms"),
    front=METRIC_LATENCY,
)


def draw(rows: Sequence[Row], path: Path) -> None:
    """Draw all measured rows, with one front over all targets."""
    draw_scatter(rows, LATENCY, path)
