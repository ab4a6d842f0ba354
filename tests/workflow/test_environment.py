"""A virtual device that runs the pinned packages of a real one, not edgeflow's environment."""

import copy
import json
from pathlib import Path

import pytest

from tests.workflow.conftest import CONFIG, ROOT, Project

pytestmark = pytest.mark.xdist_group("built-project")


def test_a_device_runs_its_own_environment_built_once(pristine: Project, tmp_path: Path) -> None:
    lock = tmp_path / "device.txt"
    lock.write_bytes((ROOT / "envs/litert-device.txt").read_bytes())
    config = copy.deepcopy(CONFIG)
    config["devices"]["pi-1"]["environment"] = str(lock)
    config["store"] = {"path": str(tmp_path / "store")}
    pristine.write_config(config)
    wanted = "results/devices/pi-1/tiny/validation.json"
    pristine.build(wanted)
    environments = [path for path in (tmp_path / "store/envs").iterdir() if path.is_dir()]
    assert len(environments) == 1
    request = pristine.folder / ".edgeflow/virtual/pi-1/request.json"
    assert json.loads(request.read_text())["python"].startswith(str(environments[0]))
    assert not list(environments[0].glob("lib/*/site-packages/tensorflow"))
    record = json.loads((pristine.folder / wanted).read_text())
    assert record["conditions"]["engine"].startswith("ai-edge-litert")
    assert record["parity"]["share"] == 1.0

    lock.write_text("# another word\n" + lock.read_text())
    assert pristine.would_run()["deploy"] >= 1
    pristine.write_config(CONFIG)
    pristine.build()
