"""`edgeflow summary`: the last table again."""

import sys

from edgeflow.cli.project import (
    CONFIG,
    RESULTS,
    ConfigFile,
    Json,
    Results,
    load_plan,
    print_json,
)


def summary(config: ConfigFile = CONFIG, results: Results = RESULTS, as_json: Json = False) -> None:
    """Print the table of all deployments as they were last measured."""
    from edgeflow.report.console import print_summary
    from edgeflow.report.metrics import records
    from edgeflow.report.rows import load_rows, with_rollbacks

    units = load_plan(config).job("report").slice
    rows = with_rollbacks(load_rows(results, units), results)
    if as_json:
        print_json(
            [
                {**record, "rolled_back": row.rolled_back}
                for row, record in zip(rows, records(rows), strict=True)
            ]
        )
    else:
        print_summary(rows, sys.stdout)
