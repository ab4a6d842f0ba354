"""What is shown of many deployments: `metrics.csv` has them all, a page stays readable."""

from collections.abc import Sequence

from edgeflow.report.rows import Row

ROWS = 100
"""Most deployments in the tables of the page."""
FIGURES = 12
"""Most plots of one kind."""
POINTS = 1000
"""Most deployments in a plot over all of them."""
LINES = 40
"""Most deployments in the table on a terminal."""

_URGENCY = (
    *("failed", "rolled back", "not measured", "not compiled"),
    *("no gates", "compiled", "passed"),
)


def telling(rows: Sequence[Row], most: int) -> list[Row]:
    """Return at most so many rows, in their order; those that missed a gate go first."""
    by_urgency = sorted(range(len(rows)), key=lambda index: _URGENCY.index(rows[index].status))
    return [rows[index] for index in sorted(by_urgency[:most])]
