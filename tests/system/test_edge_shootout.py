"""examples/edge-shootout: one network to every compiler that is here, side by side in one table."""

import csv
import json
import shutil
from typing import Any

import pytest
import yaml

from edgeflow.errors import MissingToolError
from edgeflow.toolchain.environment import find_python
from tests.system.conftest import ENABLE
from tests.workflow.conftest import ROOT, Project

EXAMPLE = ROOT / "examples/edge-shootout"
HERE = ("litert", "openvino", "onnxruntime", "iree-x86")
ELSEWHERE = ("iree-arm", "iree-riscv", "ncs2", "ncs", "ethos-u55")
CORAL = "edgetpu_compiler"


@pytest.fixture
def example(project: Project) -> Project:
    """The example with fewer epochs."""
    for program in ("arm-none-eabi-gcc", "qemu-system-arm", "cc"):
        if shutil.which(program) is None:
            pytest.skip(f"needs {program}; {ENABLE}")
    try:
        find_python("3.9")
    except MissingToolError as error:
        pytest.skip(str(error))
    value: dict[str, Any] = yaml.safe_load((EXAMPLE / "config.yaml").read_text())
    value["models"]["mobilenet"]["train"]["epochs"] = 10
    for deployment in value["deployments"]:
        deployment["gates"]["accuracy_min"] = 0.5
    project.write_config(value)
    return project


def test_one_network_on_every_target(example: Project) -> None:
    done = example.command("edgeflow", "run", "--", "--cores", "2")
    here = shutil.which(CORAL) is not None
    assert done.returncode == (0 if here else 3), done.stdout + done.stderr
    if not here:  # its branch alone stops, with what to do
        assert done.stderr.count("failed: ") == 1
        assert f"compile coral/mobilenet/int8: this machine has no program {CORAL}" in done.stderr
    said = example.command("edgeflow", "summary", "--targets", "--json")
    rows = {row["target"]: row for row in json.loads(said.stdout)}
    assert rows.keys() == {*HERE, *ELSEWHERE, "cortex-m4", "coral"}
    assert {rows[name]["metric_of"] for name in HERE} == {"virtual device"}
    assert all(rows[name]["latency_kind"] == "measured" for name in HERE)
    assert {rows[name]["metric_of"] for name in ELSEWHERE} == {"host"}
    assert rows["cortex-m4"]["metric_of"] == "emulator"
    for name in ("cortex-m4", "iree-arm", "iree-riscv", "ncs2", "ncs"):
        assert rows[name]["latency_ms"] is None, "an emulator or a compiler times nothing"
    assert rows["ethos-u55"]["latency_kind"] == "estimated"
    for name in ("ncs2", "ncs", "ethos-u55", "coral"):
        assert rows[name]["accelerator_operators"] == rows[name]["operators"] > 0
    assert rows["coral"]["operators_by"] == ("compiler" if here else "lint")
    compiled = [row for name, row in rows.items() if here or name != "coral"]
    assert all(row["artifact_bytes"] > 0 for row in compiled)
    assert max(row["value"] for row in compiled) - min(row["value"] for row in compiled) < 0.03
    _are_in_the_report(example)


def _are_in_the_report(example: Project) -> None:
    with (example.folder / "results/report/metrics.csv").open(newline="") as file:
        rows = {row["target"]: row for row in csv.DictReader(file)}
    for name in ELSEWHERE:
        assert (rows[name]["device"], rows[name]["latency_p50_ms"]) == ("", "")
        assert rows[name]["kind_of_figures"].startswith("compiled")
        assert rows[name]["gates_passed"] == "true"
