"""`metrics.csv`: every figure of the report, for other programs."""

import csv
from collections.abc import Sequence
from pathlib import Path

from edgeflow.report.columns import known_figures
from edgeflow.report.rows import Row
from edgeflow.text import clean

_FIRST = (
    *("model", "recipe", "target", "device"),
    *("metric", "metric_baseline", "metric_recipe", "metric_compiled", "metric_device", "parity"),
    *("latency_p50_ms", "latency_p90_ms", "latency_p99_ms", "peak_rss_mb"),
    *("model_bytes", "bundle_bytes", "gates_passed"),
)
"""What most readers look for; all other figures follow."""

_LAST = (
    *("samples", "first_divergence", "engine", "bundle_sha256"),
    *("transport", "cpu", "kind_of_figures"),
)

_FORMULA = ("=", "+", "-", "@", "\t", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What spreadsheets take for a formula, also in full width (OWASP, "CSV Injection")."""


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        text = clean(value)
        return f"'{text}" if text.startswith(_FORMULA) else text
    return str(value).lower() if isinstance(value, bool) else str(value)


def columns(rows: Sequence[Row]) -> list[str]:
    """Return the header: each figure has a column of its name."""
    figures = [figure.name for figure in known_figures(rows)]
    return [*_FIRST, *[name for name in figures if name not in _FIRST], *_LAST]


def records(rows: Sequence[Row]) -> list[dict[str, object]]:
    """Return the columns of each row by name; None where a figure does not exist."""
    names, figures = columns(rows), {figure.name for figure in known_figures(rows)}
    return [
        {name: row.figure(name) if name in figures else getattr(row, name) for name in names}
        for row in rows
    ]


def write_metrics(rows: Sequence[Row], path: Path) -> None:
    """Write one line per row; a figure that does not exist is an empty cell."""
    names = columns(rows)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        for record in records(rows):
            writer.writerow([_cell(value) for value in record.values()])
