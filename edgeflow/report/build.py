"""The report step: `metrics.csv`, `plots/*.svg` and `index.html` from what was measured."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgeflow.artifact.atomic import staged
from edgeflow.artifact.events import recorded
from edgeflow.report.metrics import write_metrics
from edgeflow.report.page import write_page
from edgeflow.report.plots.build import draw_plots
from edgeflow.report.rows import load_rows
from edgeflow.report.training import load_training


def build_report(options: Mapping[str, Any], code: str, results: Path, out: Path) -> None:
    """Write the report over all units of `options` into `out`.

    A unit without a validation appears as not measured.

    Args:
        options: the units, as in the plan's report job.
        code: fingerprint of the step's code, shown in the page.
        results: folder that holds ``devices/`` and ``models/``.

    Raises:
        IntegrityError: a validation, history or manifest cannot be read.
    """
    with recorded("report", "report"), staged(out, last="index.html") as scratch:
        rows = load_rows(results, options)
        trainings = load_training(results, [row.model for row in rows])
        (scratch / "plots").mkdir()
        write_metrics(rows, scratch / "metrics.csv")
        plots = draw_plots(rows, trainings, scratch / "plots")
        write_page(rows, trainings, plots, code, scratch)
