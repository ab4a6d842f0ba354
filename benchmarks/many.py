"""What a thousand devices, models and deployments cost: `python -m benchmarks size`."""

import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.case import Case
from benchmarks.project import CORES, Project, project
from benchmarks.results_of import write_results
from benchmarks.sizes import many_devices, many_models, many_named_models
from edgeflow.artifact.atomic import write_json
from edgeflow.config.load import parse
from edgeflow.plan import Plan

PLAN = ("snakemake", "--dry-run", "--cores", str(CORES))
CHECK = (sys.executable, "-m", "edgeflow", "check", "--fast")
REPORT = (
    *(sys.executable, "-m", "edgeflow", "report", "--results", "results"),
    *("--slice", "@slice.json", "--code", "c0de", "--out", "results/report"),
)


def at_any_size(repeats: int) -> list[Case]:
    """Measure planning, checking and the report of a thousand of each, in CPU seconds."""
    planned = {
        "1,000 devices": many_devices(1000),
        "1,000 devices of two units each": many_devices(1000, units=2),
        "a family of 1,000 models": many_models(1000),
    }
    checked = {**planned, "5,000 devices": many_devices(5000)}
    reported = {
        "1,000 devices, no two alike": many_devices(1000),
        "1,000 models": many_named_models(1000),
    }
    plan = {name: _taken(config, PLAN, repeats) for name, config in planned.items()}
    check = {name: _taken(config, CHECK, repeats) for name, config in checked.items()}
    report = {name: _reported(config, repeats) for name, config in reported.items()}
    return [
        *(_case(f"Plan {name}", "snakemake -n", 20.0, times) for name, times in plan.items()),
        *(
            _case(f"Check {name}", "edgeflow check --fast", 1.5, times)
            for name, times in check.items()
        ),
        *(_case(f"Report {name}", "edgeflow report", 15.0, it) for name, it in report.items()),
    ]


def _case(name: str, what: str, target: float, seconds: list[float]) -> Case:
    return Case(name=name, what=f"`{what}`, CPU", target=target, seconds=seconds)


def _taken(config: dict[str, Any], command: tuple[str, ...], repeats: int) -> list[float]:
    with project() as here:
        here.write_config(config)
        return [round(here.cpu(*command), 2) for _ in range(repeats)]


def _reported(config: dict[str, Any], repeats: int) -> list[float]:
    with tempfile.TemporaryDirectory() as folder:
        here, plan = Project(folder=Path(folder), store="off"), Plan(parse(config))
        write_results(plan, here.folder / "results")
        write_json(here.folder / "slice.json", plan.job("report").slice)
        return [round(here.cpu(*REPORT), 2) for _ in range(repeats)]
