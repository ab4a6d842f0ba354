"""A model that is compiled for a target and goes to no device: judged, and reported as that."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from edgeflow.artifact.manifest import read_manifest
from edgeflow.errors import GateError
from edgeflow.report.build import build_report
from edgeflow.report.console import print_summary
from edgeflow.report.rows import load_rows, with_rollbacks
from edgeflow.testing.trained import Trained
from edgeflow.validate.judge import judge

NAMES = {"target": "pi", "model": "tiny", "recipe": "int8"}


@pytest.fixture
def results(trained: Trained, packed: Path, tmp_path: Path) -> Path:
    """Results of a deployment without a device, as its steps leave them."""
    folder = tmp_path / "results"
    places = {
        "models/tiny/baseline": trained.model,
        "models/tiny/int8": trained.recipe("ptq-int8"),
        "targets/pi/tiny/int8": packed,
    }
    for place, made in places.items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).symlink_to(made)
    return folder


def slice_of(**gates: float) -> dict[str, Any]:
    return {"units": [{**NAMES, "device": "", "gates": gates}]}


def judged(results: Path, out: Path, **gates: float) -> Any:
    model, recipe = (results / f"models/tiny/{name}" for name in ("baseline", "int8"))
    compiled = results / "targets/pi/tiny/int8"
    judge({"names": NAMES, "gates": gates}, "0", model, recipe, compiled, out / "gates.json")
    return json.loads((out / "gates.json").read_text())


def test_gates_hold_what_the_compiler_and_the_host_know(results: Path, tmp_path: Path) -> None:
    facts = read_manifest(results / "targets/pi/tiny/int8/compile.json").facts
    size, accuracy = facts["size_bytes"], facts["metric_test"]
    gates = judged(results, tmp_path, accuracy_min=accuracy, model_bytes_max=size)
    assert {gate["name"]: gate["value"] for gate in gates["gates"]} == {
        "accuracy_min": accuracy,
        "model_bytes_max": size,
    }
    with pytest.raises(GateError, match=f"pi/tiny/int8 misses 1 gate\n.*model_bytes_max: {size}"):
        judged(results, tmp_path, accuracy_drop_max=1.0, model_bytes_max=size - 1)


def test_what_needs_a_device_is_not_met_without(results: Path, tmp_path: Path) -> None:
    gates = {"parity_min": 1.0, "latency_p50_ms_max": 1e9, "peak_rss_mb_max": 1e9}
    with pytest.raises(GateError, match="misses 3 gates") as caught:
        judged(results, tmp_path, **gates)
    assert caught.value.message.count("not measured") == 3
    assert "`devices`" in caught.value.hint


def test_it_is_reported_as_compiled(results: Path, tmp_path: Path) -> None:
    facts = read_manifest(results / "targets/pi/tiny/int8/compile.json").facts
    slice_ = slice_of(model_bytes_max=1e9)
    (row,) = with_rollbacks(load_rows(results, slice_), results)
    assert (row.status, row.verdict, row.measured) == ("compiled", "compiled, passed 1 of 1", False)
    assert (row.metric_device, row.metric_compiled) == (None, facts["metric_test"])
    assert load_rows(results, slice_of(model_bytes_max=1))[0].status == "failed"
    said = io.StringIO()
    print_summary([row], said)
    line = said.getvalue().splitlines()[1].split("  ")
    assert [cell.strip() for cell in line if cell.strip()][:2] == ["tiny/int8", "pi"]
    assert "no device" in said.getvalue()
    build_report(slice_, "0", results, tmp_path / "report")
    with (tmp_path / "report/metrics.csv").open(newline="") as file:
        (record,) = csv.DictReader(file)
    assert (record["device"], record["metric_device"], record["latency_p50_ms"]) == ("", "", "")
    assert float(record["model_bytes"]) == facts["size_bytes"]
    assert (record["kind_of_figures"], record["gates_passed"]) == ("compiled", "true")
    page = (tmp_path / "report/index.html").read_text()
    assert "1 of 1 deployment compiled for no device" in page
    assert "on the host" in page
    deployment = page.partition("Each deployment")[2]
    assert "<dt>Why</dt>" not in deployment
    assert "Accuracy, %, on the host" in deployment
    assert "Gate: model size" in deployment


def test_what_is_not_compiled_yet_is_said(results: Path) -> None:
    (results / "targets/pi/tiny/int8").unlink()
    (row,) = load_rows(results, slice_of())
    assert row.status == "not compiled"
