"""A report of many deployments stays readable, and is made in no more time than they ask for."""

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.results_of import write_results
from benchmarks.sizes import many_devices, many_named_models
from edgeflow.artifact.manifest import Manifest
from edgeflow.config.load import parse
from edgeflow.figures.table import figure
from edgeflow.plan import Plan
from edgeflow.report.build import build_report
from edgeflow.report.console import print_summary
from edgeflow.report.excerpt import FIGURES, LINES, ROWS, telling
from edgeflow.report.metrics import write_metrics
from edgeflow.report.pareto import efficient
from edgeflow.report.plots import confusion
from edgeflow.report.plots.build import drawn_matrices
from edgeflow.report.rows import load_rows
from edgeflow.validate.gates import GateResult
from tests.growth import growth
from tests.unit.report.samples import UNITS, make_row, write_validation
from tests.unit.report.test_console import Terminal

MISSED = (GateResult(figure=figure("latency_p90_ms"), limit=5.0, value=9.0),)


def report(raw: dict[str, Any], results: Path, **options: int) -> str:
    plan = Plan(parse(raw))
    write_results(plan, results, **options)
    build_report(plan.job("report").slice, "c", results, results / "report")
    return (results / "report" / "index.html").read_text()


def test_what_missed_a_gate_is_shown_first() -> None:
    rows = [make_row(number) for number in range(50)]
    rows[30] = make_row(30, checks=MISSED)
    rows[40] = make_row(40, measured=False)
    shown = telling(rows, 4)
    assert [row.device for row in shown] == ["device-0", "device-1", "device-30", "device-40"]
    assert telling(rows, 50) == rows


def test_a_page_of_many_devices_is_no_larger_than_of_some(tmp_path: Path) -> None:
    pages = [
        report(many_devices(count), tmp_path / str(count), distinct=2)
        for count in (ROWS + 1, 3 * ROWS)
    ]
    assert abs(len(pages[1]) - len(pages[0])) < 0.15 * len(pages[0])
    assert f"{ROWS} of {3 * ROWS} deployments are shown" in pages[1]
    lines = (tmp_path / str(3 * ROWS) / "report" / "metrics.csv").read_text().splitlines()
    assert len(lines) == 1 + 3 * ROWS


def test_a_page_of_many_models_draws_some_of_each_kind(tmp_path: Path) -> None:
    page = report(many_named_models(FIGURES + 1), tmp_path, distinct=1)
    plots = [path.stem.partition("_")[0] for path in (tmp_path / "report/plots").iterdir()]
    assert plots.count("training") == plots.count("layer") == FIGURES
    assert "the curves of all are in models/MODEL/baseline/history.csv" in page


def test_equal_matrices_are_drawn_once_and_linked(tmp_path: Path) -> None:
    page = report(many_devices(4), tmp_path, distinct=2)
    assert len(re.findall("Confusion matrices of", page)) == 2
    for drawn in ("confusion_m0_int8_bench-0", "confusion_m0_int8_bench-1"):
        assert page.count(f'href="#{drawn}"') == page.count(f'id="{drawn}"') == 1


def test_a_matrix_of_a_thousand_classes_is_no_figure(tmp_path: Path) -> None:
    page = report(many_devices(1), tmp_path, classes=confusion.MOST_DRAWN + 1)
    assert "devices/bench-0/m0/validation.json" in page
    assert not list((tmp_path / "report/plots").glob("confusion_*"))


def test_matrices_of_the_deployments_that_missed_a_gate_are_drawn_first() -> None:
    rows = [
        make_row(n, confusion_baseline=((1,),), confusion_device=((n,),))
        for n in range(FIGURES + 5)
    ]
    rows[-1] = make_row(99, checks=MISSED, confusion_baseline=((1,),), confusion_device=((99,),))
    assert drawn_matrices(rows)[-1].device == "device-99"
    assert len(drawn_matrices(rows)) == FIGURES


def test_a_terminal_gets_few_lines_and_a_file_all(tmp_path: Path) -> None:
    rows = [make_row(number) for number in range(LINES + 10)]
    terminal, file = Terminal(), io.StringIO()
    print_summary(rows, terminal)
    print_summary(rows, file)
    assert "and 10 more passed: metrics.csv of the report has all" in terminal.getvalue()
    assert f"device-{LINES + 9}" not in terminal.getvalue()
    assert f"device-{LINES + 9}" in file.getvalue()


@pytest.mark.parametrize("project", [many_devices, many_named_models])
def test_reading_and_comparing_is_linear(
    project: Callable[[int], dict[str, Any]], tmp_path: Path
) -> None:
    def work(size: int) -> Callable[[], object]:
        results, plan = tmp_path / str(size), Plan(parse(project(size)))
        write_results(plan, results)
        slice_ = plan.job("report").slice
        return lambda: tabulate(slice_, results)

    work(1)()  # what is imported is no growth
    assert growth(work) < 2.3


def tabulate(slice_: dict[str, Any], results: Path) -> None:
    rows = load_rows(results, slice_)
    efficient(rows)
    write_metrics(rows, results / "metrics.csv")
    print_summary(rows, io.StringIO())


def test_outputs_have_the_order_of_the_engine(tmp_path: Path) -> None:
    path = write_validation(tmp_path, UNITS["units"][0], ["cat", "dog"])
    validation = json.loads(path.read_text())
    one = validation["parity"]["outputs"]["output"]
    validation["parity"]["outputs"] = {"boxes": one, "classes": one, "scores": one}
    path.write_text(json.dumps(validation))
    folder = tmp_path / "targets/pi-cpu/net/fp32"
    folder.mkdir(parents=True)
    outputs = [{"name": name} for name in ("scores", "boxes", "classes")]
    Manifest(
        step="compile", inputs={}, slice={}, code="ef" * 32, tools={}, files={},
        facts={"io": {"inputs": [], "outputs": outputs}},
    ).write(folder / "compile.json")  # fmt: skip
    (row, *_) = load_rows(tmp_path, UNITS)
    assert list(row.parity_outputs) == ["scores", "boxes", "classes"]
