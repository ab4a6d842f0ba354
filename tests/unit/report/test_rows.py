import csv
import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from edgeflow.errors import IntegrityError
from edgeflow.figures.accelerator import ACCELERATOR_SHARE
from edgeflow.figures.figure import Kind
from edgeflow.figures.table import figure
from edgeflow.report.metrics import columns, write_metrics
from edgeflow.report.rows import Row, load_rows
from edgeflow.validate.gates import GateResult
from tests.unit.report.samples import UNITS, make_row, write_validation

PROMISED = [
    "model", "recipe", "target", "device", "metric", "metric_baseline", "metric_recipe",
    "metric_compiled", "metric_device", "parity", "latency_p50_ms", "latency_p90_ms",
    "latency_p99_ms", "peak_rss_mb", "model_bytes",
    "bundle_bytes", "gates_passed",
]  # fmt: skip


def test_rows_follow_the_order_of_the_units(results: Path) -> None:
    rows = load_rows(results, UNITS)
    assert [row.device for row in rows] == ["pi-1", "pi-2", "pc-1", "pc-2"]


def test_status_tells_pass_fail_missing_and_ungated_apart(results: Path) -> None:
    rows = load_rows(results, UNITS)
    assert [row.status for row in rows] == ["passed", "failed", "not measured", "no gates"]


def test_a_validation_of_another_recipe_is_left_over_and_does_not_count(results: Path) -> None:
    unit = UNITS["units"][0] | {"recipe": "int8"}
    [row] = load_rows(results, {"units": [unit]})
    assert not row.measured
    assert row.metric_device is None


@pytest.mark.parametrize("damage", ["{", "[]", '{"format": 2}'])
def test_an_unreadable_validation_is_an_integrity_error(results: Path, damage: str) -> None:
    path = write_validation(results, UNITS["units"][0], ["a", "b"])
    path.write_text(damage)
    with pytest.raises(IntegrityError, match=r"validation\.json") as caught:
        load_rows(results, UNITS)
    assert "delete" in caught.value.hint


def test_a_model_without_a_clock_has_empty_cells(results: Path, tmp_path: Path) -> None:
    unit = UNITS["units"][0]
    path = write_validation(results, unit, ["a", "b"])
    path.write_text(json.dumps({**json.loads(path.read_text()), "latency_ms": None}))
    rows = load_rows(results, {"units": [unit]})
    assert rows[0].status == "failed", "it has a gate on its latency"
    write_metrics(rows, tmp_path / "metrics.csv")
    with (tmp_path / "metrics.csv").open(newline="") as file:
        [cells] = csv.DictReader(file)
    assert {cells[f"latency_{name}_ms"] for name in ("p50", "p90", "p99")} == {""}
    assert cells["metric_device"] == "0.995"


def test_same_bytes_needs_every_sample_and_every_bit() -> None:
    assert make_row(parity=1.0, parity_max_abs=0.0, bit_exact=True).same_bytes
    assert not make_row(parity=1.0, parity_max_abs=1e-6, bit_exact=True).same_bytes
    assert not make_row(parity=0.9, parity_max_abs=0.0, bit_exact=True).same_bytes
    assert not make_row(parity=1.0, parity_max_abs=0.0, bit_exact=False).same_bytes, "by chance"


def test_a_verdict_counts_the_gates_that_it_speaks_of() -> None:
    held = GateResult(figure=figure("latency_p90_ms"), limit=5.0, value=1.0)
    missed = GateResult(figure=figure("latency_p90_ms"), limit=5.0, value=9.0)
    checks = ((held,) * 3, (held, held, missed), ())
    found = [make_row(checks=some).verdict for some in checks]
    assert found == ["passed 3 of 3", "failed 1 of 3", "no gates"]


def test_metrics_begin_with_the_promised_columns(results: Path, tmp_path: Path) -> None:
    write_metrics(load_rows(results, UNITS), tmp_path / "metrics.csv")
    with (tmp_path / "metrics.csv").open(newline="") as file:
        header = next(csv.reader(file))
    assert header[: len(PROMISED)] == PROMISED
    assert header == columns(load_rows(results, UNITS))


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\r=", "\x1b[0m=", "\uff1d"])
def test_no_text_is_a_formula_to_a_spreadsheet(start: str, tmp_path: Path) -> None:
    kinds = (str, str | None)
    texts = {f.name: f"{start}1+1" for f in dataclasses.fields(Row) if f.type in kinds}
    changes: dict[str, Any] = {**texts, "metric_baseline": -0.5}
    row = dataclasses.replace(make_row(), **changes)
    write_metrics([row], tmp_path / "metrics.csv")
    with (tmp_path / "metrics.csv").open(newline="") as file:
        [cells] = csv.DictReader(file)
    assert cells["metric_baseline"] == "-0.5"
    written = [value for name, value in cells.items() if name in texts]
    assert len(written) > 5
    assert all(value.startswith("'") and value.endswith("1+1") for value in written)


def test_metrics_hold_figures_as_measured_and_empty_cells(results: Path, tmp_path: Path) -> None:
    write_metrics(load_rows(results, UNITS), tmp_path / "metrics.csv")
    with (tmp_path / "metrics.csv").open(newline="") as file:
        passed, failed, missing, ungated = csv.DictReader(file)
    assert passed["metric_device"] == "0.995"
    assert passed["load_time_ms"] == "3.125"
    assert passed["peak_rss_mb"] == ""
    assert [line["gates_passed"] for line in (passed, failed, ungated)] == ["true", "false", ""]
    assert missing["device"] == "pc-1"
    assert set(list(missing.values())[4:]) == {""}


def test_metrics_say_where_figures_come_from(results: Path, tmp_path: Path) -> None:
    rows = [
        *load_rows(results, UNITS),
        make_row(kinds={"latency_p50_ms": "measured", "model_bytes": "estimated"}),
    ]
    write_metrics(rows, tmp_path / "metrics.csv")
    with (tmp_path / "metrics.csv").open(newline="") as file:
        passed, _, missing, _, mixed = csv.DictReader(file)
    origin = [passed[name] for name in ("transport", "cpu", "kind_of_figures")]
    assert origin == ["virtual", "Cortex-A72", "measured"]
    assert missing["kind_of_figures"] == ""
    assert mixed["kind_of_figures"] == "measured; estimated: model_bytes"


@pytest.mark.parametrize(
    ("measured", "told"), [(True, "measured; compiled: accelerator_share"), (False, "compiled")]
)
def test_what_the_compiler_counts_is_not_called_measured(measured: bool, told: str) -> None:
    assert ACCELERATOR_SHARE.kind == "compiled"
    kinds: dict[str, Kind] = {"model_bytes": "measured", "accelerator_share": "compiled"}
    assert make_row(measured=measured, compiled=not measured, kinds=kinds).kind_of_figures == told
