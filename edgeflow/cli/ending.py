"""What a run of the workflow says at its end, where no display does.

Snakemake runs the handlers of the main Snakefile alone. Where that is a user's, which takes
edgeflow as a module, they know of the module's builds from what these have announced.
"""

import os
import sys
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from edgeflow import paths
from edgeflow.artifact.atomic import write_text
from edgeflow.artifact.events import EVENTS
from edgeflow.artifact.fingerprint import fingerprint
from edgeflow.cli.display.announced import Build, builds, is_displayed
from edgeflow.stamp.keep import TABLE

if TYPE_CHECKING:
    from edgeflow.report.rows import Row

LINES = 10
"""Deployments that are named in a line; of more, the number is told."""


def show_results() -> None:
    """Print the table of all deployments as they were last measured, or where it is."""
    for build in () if is_displayed() else builds():
        finish(build, sys.stderr, build_report=bool(build.chosen))


def report_failure() -> None:
    """Show what did get measured: the rule cannot run when a branch before it failed."""
    for build in () if is_displayed() else builds():
        finish(build, sys.stderr, build_report=True)


def finish(build: Build, file: TextIO, *, build_report: bool) -> None:
    """Print the table of all deployments as they were last measured, and where the report is.

    Args:
        build: what was built.
        file: where to print.
        build_report: make the report of what is there; its rule did not run.
    """
    page = build.results / paths.REPORT / "index.html"
    if build.carried_to is not None:
        print(f"the report is in the storage: {build.carried_to}/{page}", file=file)
        return
    from edgeflow.report.build import build_report as make
    from edgeflow.report.console import print_summary
    from edgeflow.report.rollouts import load_rollouts
    from edgeflow.report.rows import load_rows, with_rollbacks

    job = build.plan.job("report")
    if build_report:
        events = Path(os.environ.get("EDGEFLOW_EVENTS") or EVENTS)
        make(job.slice, fingerprint(*job.modules), build.results, page.parent, events=events)
    rows = with_rollbacks(load_rows(build.results, job.slice), build.results)
    where = f"report: {page}" if page.is_file() else "report: none yet"
    print_summary(rows, file)
    for line in of_earlier_builds(build, rows):
        print(line, file=file)
    rollouts = [rollout.line for rollout in load_rollouts(build.results, job.slice)]
    for line in (*rollouts, where):
        print(line, file=file)
    kept = StringIO()  # for runs that find nothing to do
    print_summary(rows, kept)
    write_text(TABLE, "\n".join([kept.getvalue().rstrip("\n"), *rollouts, where, ""]))


def of_earlier_builds(build: Build, rows: Sequence["Row"]) -> list[str]:
    """Return a line that names rows which this build was to measure anew and did not, if any."""
    left = {
        (job.wildcards["device"], job.wildcards["model"])
        for job in build.left()
        if job.step == "validate"
    }
    old = [row for row in rows if row.measured and (row.device, row.model) in left]
    named = ", ".join(f"{row.model}/{row.recipe} on {row.device}" for row in old[:LINES])
    further = f" and {len(old) - LINES:,} more" if len(old) > LINES else ""
    return [f"of an earlier build, as this one did not get there: {named}{further}"] if old else []
