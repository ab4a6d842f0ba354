"""`edgeflow summary`: the last table again."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeflow.cli.listing import print_columns
from edgeflow.cli.project import (
    CONFIG,
    RESULTS,
    ConfigFile,
    Json,
    Results,
    load_plan,
    print_json,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgeflow.plan import Plan
    from edgeflow.report.rows import Row


Targets = Annotated[
    bool,
    typer.Option(
        "--targets", help="Compare targets: artifacts, operators on accelerators, latencies."
    ),
]


def summary(
    config: ConfigFile = CONFIG,
    results: Results = RESULTS,
    targets: Targets = False,
    as_json: Json = False,
) -> None:
    """Print the table of all deployments as they were last measured."""
    from edgeflow.report.console import print_summary
    from edgeflow.report.metrics import records
    from edgeflow.report.rollouts import load_rollouts
    from edgeflow.report.rows import load_rows, with_rollbacks

    plan = load_plan(config)
    rows = with_rollbacks(load_rows(results, plan.job("report").slice), results)
    if targets:
        _compare(plan, rows, results, as_json=as_json)
    elif as_json:
        print_json(
            [
                {**record, "rolled_back": row.rolled_back}
                for row, record in zip(rows, records(rows), strict=True)
            ]
        )
    else:
        print_summary(rows, sys.stdout)
        for rollout in load_rollouts(results, plan.job("report").slice):
            print(rollout.line)


def _compare(plan: "Plan", rows: "Sequence[Row]", results: Path, *, as_json: bool) -> None:
    from edgeflow.report.across import across, header_of

    found = across(rows, results, plan.config.targets)
    if as_json:
        print_json([one.record() for one in found])
    else:
        print_columns(header_of(rows), [one.cells() for one in found])
