import csv
import io
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from edgeflow.artifact.events import set_event_log
from edgeflow.artifact.manifest import Manifest
from edgeflow.errors import IntegrityError
from edgeflow.report.build import build_report
from edgeflow.report.console import print_summary
from edgeflow.report.page import confused, headline
from edgeflow.report.rows import load_rows
from edgeflow.report.text import NONE
from edgeflow.targets.findings import KEPT
from edgeflow.targets.litert import LiteRT
from tests.unit.config.test_gatefit import INSTRUCTIONS
from tests.unit.report.samples import (
    UNITS,
    make_row,
    unit,
    validation,
    write_training,
    write_validation,
)

CODE = "0123" * 16


class Page(HTMLParser):
    """Collects what the tests ask about."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in {"src", "href", "xlink:href", "srcset", "data", "action"}:
                self.references.append(value or "")

    def handle_data(self, data: str) -> None:
        self.words += data.split()

    @property
    def text(self) -> str:
        return " ".join(self.words)


def build(results: Path, slice_: dict[str, Any] = UNITS) -> Page:
    build_report(slice_, CODE, results, results / "report")
    return Page((results / "report" / "index.html").read_text())


def test_report_holds_page_metrics_and_every_plot(results: Path) -> None:
    build(results)
    files = {p.relative_to(results / "report").as_posix() for p in results.rglob("report/**/*.*")}
    assert files == {
        "index.html",
        "manifest.json",
        "metrics.csv",
        "plots/metric_latency.svg",
        "plots/metric_size.svg",
        "plots/size_by_recipe.svg",
        "plots/training_net.svg",
        "plots/confusion_net_fp32_pi-1.svg",  # the others look the same
    }


def test_page_says_which_gates_hold_and_which_do_not(results: Path) -> None:
    text = build(results).text
    assert "1 of 4 deployments missed a gate" in text
    assert "pass accuracy drop 0.50 pt (≤ 1.00 pt)" in text
    assert "fail latency p90 0.0600 ms (≤ 0.0100 ms)" in text


def test_page_marks_a_missing_validation_and_a_missing_figure(results: Path) -> None:
    text = build(results).text
    assert "net · int8 pc-1 · intel-cpu not measured" + 4 * f" {NONE}" in text
    assert "No validation of this deployment was found" in text


def test_page_names_stage_conditions_and_provenance(results: Path) -> None:
    text = build(results).text
    assert "99.50 diverges first" in text
    assert "Cortex-A72" in text
    assert "ab" * 32 in text
    assert CODE in text


def test_page_names_a_training_that_cannot_be_made_again(results: Path) -> None:
    assert "Reproducible" not in build(results).text
    folder = results / "models" / "net" / "baseline"
    shutil.rmtree(folder)
    write_training(results, "net", deterministic=False)
    assert "Reproducible no: deterministic is false" in build(results).text


def test_page_marks_what_is_efficient_and_shows_packed_sizes(results: Path) -> None:
    slow = validation(UNITS["units"][1], ["a", "b"])
    slow["latency_ms"]["p50"] = 9.0
    path = results / "devices" / "pi-2" / "net" / "validation.json"
    path.write_text(json.dumps(slow))
    text = build(results).text
    assert "14.0 10.0 30.0 12.5" in text
    assert text.count("passed 2 of 2 metric-latency-size front") == 1  # pi-1
    assert "failed 1 of 2 metric-latency-size front" not in text  # pi-2 is slower and nothing else
    assert "no gates metric-latency-size front" in text  # alone on its target


def test_no_two_fronts_of_the_page_have_one_name(results: Path) -> None:
    text = build(results).text
    assert "front of its target" in text, "the plots are in the page"
    names = set(re.findall(r"[\w-]+ front", text)) - {"Pareto front"}
    assert names == {"metric-latency front", "metric-size front", "metric-latency-size front"}


def test_page_says_where_each_row_was_measured(results: Path) -> None:
    assert "net · fp32 pi-1 · pi-cpu virtual · Cortex-A72 passed" in build(results).text


def test_page_says_of_a_regression_only_what_it_has(results: Path) -> None:
    unit = UNITS["units"][0]
    path = results / "devices/pi-1/net/validation.json"
    record = json.loads(path.read_text())
    told = {"instruction_sets": ["neon", "sve"], "load_1min": 0.123456789}
    assert "bit-exact" in build(results, {"units": [unit]}).text
    metric = {"name": "rmse", "baseline": 0.5, "recipe": 0.5, "compiled": 0.5, "device": 0.5}
    record |= {"confusion": None, "metric": metric}
    record |= {"conditions": record["conditions"] | told}
    record["parity"] |= {"bit_exact": False}
    path.write_text(json.dumps(record))
    text = build(results, {"units": [unit]}).text
    assert "bit-exact" not in text
    assert "onfusion" not in text
    assert "Conditions of the measurement and the bundle." in text
    assert "neon, sve" in text
    assert "0.123 " in text
    assert "failed 1 of 2" in text


def test_figures_of_a_target_are_shown_with_their_kind(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LiteRT, "figures", (INSTRUCTIONS,), raising=False)
    path = results / "devices/pi-1/net/validation.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"figures": {"instructions": 1234}}))
    unit = {**UNITS["units"][0], "gates": {"instructions_max": 1000.0}}
    text = build(results, {"units": [unit, *UNITS["units"][1:]]}).text
    assert "Instructions" in text
    assert "1,234 emulated" in text
    assert "fail instructions (emulated) 1,234 (≤ 1,000)" in text
    with (results / "report/metrics.csv").open() as file:
        cells = [(row["instructions"], row["kind_of_figures"]) for row in csv.DictReader(file)]
    assert cells[:2] == [("1234", "measured; emulated: instructions"), ("", "measured")]
    out = io.StringIO()
    print_summary(load_rows(results, {"units": [unit]}), out)
    assert "net/fp32 on pi-1: instructions 1,234 (emulated)" in out.getvalue()


def test_page_names_the_slowest_layers(results: Path) -> None:
    path = results / "devices/pi-1/net/validation.json"
    layers = [
        {"name": f"Add_{number}", "type": "Add", "kernel": "jit", "time_us": float(number)}
        for number in range(25)
    ]
    layers[3]["name"], layers[3]["time_us"] = "<b>Conv</b>", 100.0
    path.write_text(json.dumps(json.loads(path.read_text()) | {"layers": layers}))
    built = build(results)
    assert "times. The 20 slowest of 25; all are in devices/pi-1/net/validation.json" in built.text
    assert "so these are its times" in built.text, "its transport is virtual"
    assert "<b>Conv</b> Add jit 100 25.2 Add_24 Add jit 24.0 6.0 Add_23" in built.text
    assert "Add_5 " not in built.text


def test_page_refers_to_nothing_outside_itself(results: Path) -> None:
    page = build(results)
    assert page.references
    assert all(reference.startswith("#") for reference in page.references)
    source = (results / "report" / "index.html").read_text()
    assert not re.search(r"https?:|@import|url\((?!#)", source)
    assert not {"script", "link", "iframe", "img", "object"} & set(page.tags)


def test_ids_of_the_page_are_unique_and_links_lead_somewhere(results: Path) -> None:
    page = build(results)
    assert len(page.ids) == len(set(page.ids))
    assert {reference[1:] for reference in page.references} <= set(page.ids)


def test_plots_follow_the_colours_of_the_page(results: Path) -> None:
    build(results)
    source = (results / "report" / "index.html").read_text()
    assert "fill: var(--series-0)" in source
    drawings = re.findall(r"<svg.*?</svg>", source, re.DOTALL)
    assert len(drawings) == 5
    assert not any("#0072b2" in drawing for drawing in drawings)


def test_a_hostile_label_is_only_text(results: Path) -> None:
    hostile = '<script>alert("1")</script>'
    write_validation(results, UNITS["units"][0], [hostile, "</svg><img src=x>"])
    page = build(results)
    assert not {"script", "img"} & set(page.tags)
    assert hostile in page.text


def test_two_builds_are_the_same_bytes(results: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        build_report(UNITS, CODE, results, tmp_path / name)
    first = {p.relative_to(tmp_path / "a"): p.read_bytes() for p in tmp_path.glob("a/**/*.*")}
    second = {p.relative_to(tmp_path / "b"): p.read_bytes() for p in tmp_path.glob("b/**/*.*")}
    assert len(first) == 8
    assert first == second


def test_a_failure_leaves_the_earlier_report(results: Path) -> None:
    build(results)
    before = (results / "report" / "index.html").read_bytes()
    (results / "models" / "net" / "baseline" / "history.csv").write_text("epoch\nfirst\n")
    with pytest.raises(IntegrityError, match=r"history\.csv"):
        build(results)
    assert (results / "report" / "index.html").read_bytes() == before


def test_nothing_measured_and_nothing_trained_is_still_a_report(tmp_path: Path) -> None:
    text = build(tmp_path / "results").text
    assert "4 of 4 deployments could not be measured" in text


def test_build_is_recorded(results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeflow.artifact.events._LOG", [])
    log = tmp_path / "events.jsonl"
    set_event_log(log)
    build(results)
    event = json.loads(log.read_text().splitlines()[-1])
    assert (event["step"], event["name"], event["outcome"]) == ("report", "report", "done")


def test_headline_is_the_worst_that_happened() -> None:
    good, ungated = make_row(), make_row(checks=())
    missing = make_row(measured=False, checks=())
    assert headline([]) == "Nothing is deployed yet"
    assert headline([good]) == "The one deployment passed its gates"
    assert headline([good, good]) == "All 2 deployments passed"
    assert headline([good, ungated]) == "2 deployments measured, 1 without gates"
    assert headline([good, missing]) == "1 of 2 deployments could not be measured"


def test_confused_lists_mistakes_most_frequent_first() -> None:
    row = make_row(
        labels=("a", "b"), confusion_baseline=[[5, 1], [0, 5]], confusion_device=[[4, 1], [3, 2]]
    )
    assert confused(row) == [("b", "a", 0, 3), ("a", "b", 1, 1)]


def test_each_metric_is_named_and_shown_in_its_unit(results: Path) -> None:
    stages = {"recipe": 0.5, "compiled": 0.5, "baseline": 0.25, "device": 0.75}
    for device, metric in (("pi-1", "auc"), ("pc-2", "rmse")):
        path = results / f"devices/{device}/net/validation.json"
        record = json.loads(path.read_text())
        record |= {"metric": {"name": metric, **stages}, "confusion": None}
        path.write_text(json.dumps(record))
    folder = results / "models/net/baseline"
    (folder / "history.csv").write_text(
        "epoch,loss,accuracy,val_loss,val_accuracy,learning_rate\n1,0.9,,1.0,,0.001\n"
    )
    page = build(results)
    assert "25.00 50.00 75.00 AUC, % +50.00" in page.text
    assert "0.250 0.500 0.750 RMSE +0.500" in page.text
    assert "100.00 100.00 99.50 accuracy, % \N{MINUS SIGN}0.50" in page.text
    assert "up is better for AUC and accuracy, down is better for RMSE." in page.text
    assert "validation accuracy" not in page.text
    with (results / "report/metrics.csv").open() as file:
        metrics = {row["device"]: row["metric"] for row in csv.DictReader(file)}
    assert metrics == {"pi-1": "auc", "pi-2": "accuracy", "pc-1": "", "pc-2": "rmse"}


def compiled(results: Path, place: str, lint: list[dict[str, str]]) -> None:
    """Write the manifest of a compilation."""
    (results / "targets" / place).mkdir(parents=True)
    facts = {"lint": lint}
    manifest = Manifest(
        step="compile", inputs={}, slice={}, code="ef" * 32, tools={}, files={}, facts=facts
    )
    manifest.write(results / "targets" / place / "compile.json")


def test_page_lists_what_targets_said_before_they_compiled(results: Path) -> None:
    compiled(results, "pi-cpu/net/fp32", [])
    assert "#lint" not in build(results).references
    note = {"severity": "note", "place": "SIGN at <t2>", "message": "slower"}
    warning = {"severity": "warning", "place": "Frob at t1", "message": "no such operator"}
    compiled(results, "pi-cpu/net/int8", [note])
    compiled(results, "intel-cpu/net/int8", [warning])
    page = build(results)
    assert "#lint" in page.references
    first, second = (
        "intel-cpu net · int8 warning Frob at t1 no such operator",
        "pi-cpu net · int8 note SIGN at <t2> slower",
    )
    assert f"{first} {second}" in page.text
    (results / "targets/pi-cpu/net/int8/compile.json").unlink()
    kept = results / "targets/pi-cpu/net/int8" / KEPT
    kept.write_text(json.dumps([{**note, "operators": [3]}]))
    assert f"{first} {second}" in build(results).text, "also where the compilation failed"
    kept.write_text("[{")
    with pytest.raises(IntegrityError, match="lint.json is damaged"):
        build(results)


def failed(step: str, name: str, **facts: str) -> str:
    event = {"step": step, "name": name, "outcome": "failed", "exit_code": 3, **facts}
    return f"{json.dumps(event)}\n"


def test_page_says_why_a_deployment_has_no_figures(results: Path) -> None:
    events = results / "events.jsonl"
    done = json.dumps({"step": "compress", "name": "net/fp16", "outcome": "done"})
    slice_ = {"units": [*UNITS["units"], unit("int8", "coral", ""), unit("fp16", "ncs", "")]}
    events.write_text(
        failed(
            "compile", "coral/net/int8", error="no <edgetpu_compiler>", hint="get it", log="c.log"
        )
        + failed("compress", "net/fp16", error="an old one")
        + f"{done}\n{done[:9]}\n"
        + failed("validate", "pc-1/net", error="pc-1 does not answer", log="v.log")
    )
    build_report(slice_, CODE, results, results / "report", events=events)
    text = Page((results / "report/index.html").read_text()).text
    assert "Why compile: no <edgetpu_compiler> What to do get it Log c.log" in text
    assert "Why validate: pc-1 does not answer Log v.log" in text
    assert "an old one" not in text
    assert "No compilation of this deployment was found" in text
