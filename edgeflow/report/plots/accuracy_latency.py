"""Accuracy on the device against its median latency."""

from collections.abc import Sequence
from pathlib import Path

from edgeflow.report.pareto import latency
from edgeflow.report.plots.gate_lines import Limit
from edgeflow.report.plots.scatter import Cost, draw_scatter
from edgeflow.report.rows import Row

LATENCY = Cost(
    label="latency on the device, ms (marker p50, whisker to p90)",
    figure=latency,
    whisker=lambda row: row.latency_p90_ms,
    limits=(
        Limit(gate="latency_p50_ms_max", title="p50", unit="ms"),
        Limit(gate="latency_p90_ms_max", title="p90", unit="ms"),
    ),
)


def draw(rows: Sequence[Row], path: Path) -> None:
    """Draw all measured rows, with one Pareto front over all targets."""
    draw_scatter(rows, LATENCY, path)
