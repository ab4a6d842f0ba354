"""`metrics.csv`: every figure of the report, for other programs."""

import csv
from collections.abc import Sequence
from pathlib import Path

from edgeflow.report.rows import Row
from edgeflow.text import clean

COLUMNS = (
    "model",
    "recipe",
    "target",
    "device",
    "accuracy_baseline",
    "accuracy_recipe",
    "accuracy_device",
    "parity",
    "latency_p50_ms",
    "latency_p90_ms",
    "latency_p99_ms",
    "peak_rss_mb",
    "model_bytes",
    "bundle_bytes",
    "gates_passed",
    "load_time_ms",
    "samples",
    "first_divergence",
    "engine",
    "bundle_sha256",
    "float_bytes",
    "model_packed_bytes",
    "bundle_packed_bytes",
    "metric",
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


def write_metrics(rows: Sequence[Row], path: Path) -> None:
    """Write one line per row; a figure that does not exist is an empty cell."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([_cell(getattr(row, name)) for name in COLUMNS] for row in rows)
