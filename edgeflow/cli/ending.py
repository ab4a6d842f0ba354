"""What a run of the workflow says at its end."""

import sys
from pathlib import Path

from edgeflow import paths
from edgeflow.artifact.fingerprint import fingerprint
from edgeflow.plan import Plan


def show_results(plan: Plan, results: Path, storage: str | None) -> None:
    """Print the table of all deployments as they were last measured, or where it is.

    Args:
        plan: what was built.
        results: folder of the results.
        storage: where results are carried to; None if they stay in their folder.
    """
    if storage is not None:
        page = results / paths.REPORT / "index.html"
        print(f"the report is in the storage: {storage}/{page}", file=sys.stderr)
        return
    from edgeflow.report.console import print_summary
    from edgeflow.report.rows import load_rows

    print_summary(load_rows(results, plan.job("report").slice), sys.stderr)


def report_failure(plan: Plan, results: Path, storage: str | None) -> None:
    """Show what did get measured: the rule cannot run when a branch before it failed."""
    if storage is not None:
        return
    from edgeflow.report.build import build_report

    job = plan.job("report")
    build_report(job.slice, fingerprint(*job.modules), results, results / paths.REPORT)
    show_results(plan, results, storage)
