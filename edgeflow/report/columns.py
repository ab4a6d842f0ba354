"""Which figures a table over rows has columns for."""

from collections.abc import Sequence
from itertools import groupby

from edgeflow.config.gates import figures_of
from edgeflow.figures.figure import Figure
from edgeflow.report.rows import Row
from edgeflow.tasks.registry import METRIC_FIGURES


def known_figures(rows: Sequence[Row]) -> list[Figure]:
    """Return the figures of the table and of the rows' targets, in their order.

    The metric is none of them: it stands for each stage.
    """
    known = figures_of(dict.fromkeys(row.kind for row in rows if row.kind))
    metrics = {figure.name for figure in METRIC_FIGURES}
    return [figure for name, figure in known.items() if name not in metrics]


def results_columns(rows: Sequence[Row]) -> list[tuple[str, list[Figure]]]:
    """Return the figures that a row has, below their headings, for the table of results."""
    there = {name for row in rows for name in row.figures}
    shown = [f for f in known_figures(rows) if f.in_results and f.name in there]
    return [(group, list(some)) for group, some in groupby(shown, key=_heading)]


def own_figures(row: Row) -> list[Figure]:
    """Return the figures of a row that its target, engine or device gave beside the usual ones."""
    return [f for f in known_figures([row]) if f.reader is None and f.name in row.figures]


def _heading(figure: Figure) -> str:
    return figure.group or figure.title.capitalize()
