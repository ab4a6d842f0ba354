"""`edgeflow summary`: the last table again."""

import sys

from edgeflow.cli.project import CONFIG, RESULTS, ConfigFile, Results, load_plan


def summary(config: ConfigFile = CONFIG, results: Results = RESULTS) -> None:
    """Print the table of all deployments as they were last measured."""
    from edgeflow.report.console import print_summary
    from edgeflow.report.rows import load_rows

    plan = load_plan(config)
    print_summary(load_rows(results, plan.job("report").slice), sys.stdout)
