"""examples/fpga, from data to a simulated circuit and to a project for high-level synthesis."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.workflow.conftest import ROOT, Project

EXAMPLE = ROOT / "examples/fpga"
RECIPES = {"digits-mlp": "hgq-4", "digits-cnn": "hgq-5"}
"""The recipe of each model that both flows take in the example."""
COMPARED = {"zynq": {"program", "simulation"}, "zynq-hls": {"emulation"}}
"""By target, the forms that a compilation compares with the network."""


def config() -> dict[str, Any]:
    """Return the example's configuration with one recipe for each model."""
    value: dict[str, Any] = yaml.safe_load((EXAMPLE / "config.yaml").read_text())
    value["recipes"] = {name: value["recipes"][name] for name in RECIPES.values()}
    value["deployments"] = [
        one for one in value["deployments"] if one["recipe"] == RECIPES[one["model"]]
    ]
    used = {device for one in value["deployments"] for device in one["devices"]}
    value["devices"] = {name: value["devices"][name] for name in used}
    value["store"] = {"path": "store"}
    return value


@pytest.fixture
def example(project: Project) -> Project:
    if shutil.which("g++") is None:
        pytest.skip("needs g++; to run it: apt install g++")
    project.write_config(config())
    shutil.copy(EXAMPLE / "nets.py", project.folder)
    return project


def test_from_data_to_a_simulated_circuit(example: Project) -> None:
    example.build()
    with (example.folder / "results/report/metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert sorted((row["model"], row["target"]) for row in rows) == sorted(
        (model, target) for model in RECIPES for target in ("zynq", "zynq-hls")
    )
    for row in rows:
        assert row["gates_passed"] == "true"
        assert row["latency_p50_ms"] == "", "a simulation times nothing"
        lost = float(row["metric_baseline"]) - float(row["metric_device"])
        assert lost <= 0.005, "half a point of the float network's accuracy"
        device = f"results/devices/{row['device']}/{row['model']}/validation.json"
        record = json.loads((example.folder / device).read_text())
        assert record["samples"] >= 1000
        assert record["parity"]["bit_exact"]
        assert record["parity"]["share"] == 1.0
        compiled = _compiled(example, row["target"], row["model"])
        compared = compiled["facts"]["compared_samples"]
        assert compared.keys() == COMPARED[row["target"]]
        assert min(compared.values()) >= 1000
    for row in rows:
        if row["target"] == "zynq":
            assert 0 < int(float(row["lut"])) <= 12000
            assert 1 < int(float(row["cycles"])) <= 8
    for model in RECIPES:
        assert (_folder(example, "zynq", model) / "compiled/verilog/model.v").is_file()
        assert list(_folder(example, "zynq-hls", model).glob("compiled/project/firmware/*.cpp"))


def _folder(example: Project, target: str, model: str) -> Path:
    return example.folder / "results/targets" / target / model / RECIPES[model]


def _compiled(example: Project, target: str, model: str) -> Any:
    return json.loads((_folder(example, target, model) / "compile.json").read_text())
