"""examples/microcontroller, from data to validated firmware on emulated boards."""

import csv
import html
import json
import re
import shutil
from typing import Any

import pytest
import yaml

from tests.system.conftest import ENABLE
from tests.workflow.conftest import ROOT, Project

EXAMPLE = ROOT / "examples/microcontroller"
BOARDS = ("microbit-1", "m4-1", "riscv-1")
NEEDED = (
    *("arm-none-eabi-gcc", "riscv64-unknown-elf-gcc", "qemu-system-arm", "qemu-system-riscv32"),
    "cc",
)


def config() -> dict[str, Any]:
    """Return the example's configuration with fewer epochs, and a compile host for one board."""
    value: dict[str, Any] = yaml.safe_load((EXAMPLE / "config.yaml").read_text())
    value["models"]["digits-cnn"]["train"]["epochs"] = 12
    value["compile_hosts"] = {"builder": {"transport": "virtual"}}
    value["targets"]["risc-v"]["compile_host"] = "builder"
    value["store"] = {"path": "store"}
    return value


@pytest.fixture
def example(project: Project) -> Project:
    pytest.importorskip("tflite_micro")
    for program in NEEDED:
        if shutil.which(program) is None:
            pytest.skip(f"needs {program}; {ENABLE}")
    project.write_config(config())
    shutil.copy(EXAMPLE / "Snakefile", project.folder / "Snakefile.example")
    return project


def test_from_data_to_validated_firmware(example: Project) -> None:
    checked = example.command("edgeflow", "check")
    assert checked.returncode == 0, checked.stderr
    told = (
        r"digits-cnn/int8 on {}: flash [\d.]+ of [\d.,]+ kB, RAM [\d.]+ of [\d.]+ kB, 66,624 MACs"
    )
    assert re.search(told.format("microbit") + "$", checked.stdout, re.MULTILINE)
    assert re.search(told.format("risc-v") + ", estimated$", checked.stdout, re.MULTILINE)

    example.build("--snakefile", "Snakefile.example")

    with (example.folder / "results/report/metrics.csv").open(newline="") as file:
        rows = {row["device"]: row for row in csv.DictReader(file)}
    assert all(row["gates_passed"] == "true" for row in rows.values())
    assert {row["metric_recipe"] for row in rows.values()} == {rows["pi-1"]["metric_recipe"]}
    for device in BOARDS:
        _is_measured_in_counts(example, device, rows[device])
    assert int(float(rows["m4-1"]["instructions"])) < int(float(rows["riscv-1"]["instructions"]))
    assert float(rows["microbit-1"]["latency_us"]) == pytest.approx(
        float(rows["microbit-1"]["cycles_estimate"]) / 16  # MHz
    )
    assert not rows["m4-1"]["latency_us"]
    assert float(rows["pi-1"]["latency_p50_ms"]) > 0
    assert not rows["pi-1"]["instructions"]
    _is_told_by_the_report(example)
    _is_asked(example)


def _is_measured_in_counts(example: Project, device: str, row: dict[str, str]) -> None:
    record = json.loads(
        (example.folder / f"results/devices/{device}/digits-cnn/validation.json").read_text()
    )
    assert record["samples"] >= 1000
    assert record["parity"]["bit_exact"]
    assert record["parity"]["share"] == 1.0
    assert record["conditions"]["samples_on_board"] == "50"
    assert record["conditions"]["runs_on"].startswith("QEMU's ")
    assert row["latency_p50_ms"] == row["peak_rss_mb"] == ""
    assert "compiled: flash_kb ram_kb" in row["kind_of_figures"]
    assert "emulated: instructions stack_bytes" in row["kind_of_figures"]
    assert 4 < float(row["flash_kb"]) < 24
    assert 1 < float(row["ram_kb"]) < 8
    compiled = json.loads(
        (example.folder / f"results/targets/{row['target']}/digits-cnn/int8/compile.json")
        .read_text()
    )["facts"]  # fmt: skip
    assert float(row["ram_kb"]) * 1024 >= compiled["arena_bytes"] + compiled["io_bytes"]
    assert 0 < float(row["stack_bytes"]) <= compiled["stack_bound_bytes"]
    assert compiled["macs"] < float(row["instructions"]) < 40 * compiled["macs"]


def _is_told_by_the_report(example: Project) -> None:
    page = (example.folder / "results/report/index.html").read_text()
    text = re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page)))
    assert "virtual · cortex-m4, 168 MHz" in text
    assert "QEMU's netduinoplus2" in text
    assert re.search(r"pass instructions \(emulated\) [\d,]+ \(≤ 2,000,000\)", text)
    assert re.search(r"pass latency by cycles \(estimated\) [\d,]+ us \(≤ 200,000 us\)", text)


def _is_asked(example: Project) -> None:
    """Ask the firmware about one sample, on its device and here."""
    import numpy as np

    sample = np.load(example.folder / "results/datasets/digits/test_x.npy")[:1]
    np.save(example.folder / "sample.npy", sample)
    answers = [
        example.command("edgeflow", "predict", "microbit-1", "digits-cnn", "sample.npy", *more)
        for more in ((), ("--local",))
    ]
    assert [one.returncode for one in answers] == [0, 0], answers[0].stderr + answers[1].stderr
    said = [one.stdout.splitlines()[1] for one in answers]
    assert said[0] == said[1]
