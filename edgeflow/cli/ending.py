"""What a run of the workflow says at its end."""

import sys
from pathlib import Path

from edgeflow import paths
from edgeflow.artifact.fingerprint import fingerprint
from edgeflow.plan import Plan

_builds: dict[Path, tuple[Plan, str | None]] = {}
"""By folder of results, what a workflow builds there and where its results are carried to."""


def register(plan: Plan, results: Path, storage: str | None) -> None:
    """Let the end of this run speak of a build.

    Snakemake runs the handlers of the main Snakefile alone. Where that is a user's, which takes
    edgeflow as a module, they know of the module's builds from here.

    Args:
        plan: what is built.
        results: folder of the results.
        storage: where results are carried to; None if they stay in their folder.
    """
    _builds[results] = (plan, storage)


def show_results() -> None:
    """Print the table of all deployments as they were last measured, or where it is."""
    for results, (plan, storage) in _builds.items():
        if storage is None:
            _print_table(plan, results)
        else:
            page = results / paths.REPORT / "index.html"
            print(f"the report is in the storage: {storage}/{page}", file=sys.stderr)


def report_failure() -> None:
    """Show what did get measured: the rule cannot run when a branch before it failed."""
    from edgeflow.report.build import build_report

    for results, (plan, storage) in _builds.items():
        if storage is None:
            job = plan.job("report")
            build_report(job.slice, fingerprint(*job.modules), results, results / paths.REPORT)
            _print_table(plan, results)


def _print_table(plan: Plan, results: Path) -> None:
    from edgeflow.report.console import print_summary
    from edgeflow.report.rows import load_rows

    print_summary(load_rows(results, plan.job("report").slice), sys.stderr)
