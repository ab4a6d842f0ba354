"""Accuracy on the device against the size of the packed model."""

from collections.abc import Sequence
from pathlib import Path

from edgeflow.report.pareto import packed_size
from edgeflow.report.plots.gate_lines import Limit
from edgeflow.report.plots.scatter import Cost, draw_scatter
from edgeflow.report.rows import Row

PACKED_SIZE = Cost(
    label="compiled model after entropy coding, KiB",
    figure=packed_size,
    scale=1 / 1024,
    limits=(Limit(gate="model_packed_bytes_max", title="packed", unit="KiB", scale=1 / 1024),),
    per_target=True,
)


def draw(rows: Sequence[Row], path: Path) -> None:
    """Draw all measured rows, with a Pareto front for each target: formats differ in size."""
    draw_scatter(rows, PACKED_SIZE, path)
