"""Real images from Debian's data package, through the real files' format."""

import copy
import json
from pathlib import Path

import pytest

from tests.system.conftest import ENABLE
from tests.workflow.conftest import CONFIG, Project

DEBIAN = Path("/usr/share/datasets/fashion-mnist")


def test_a_network_learns_from_debians_fashion_mnist(project: Project) -> None:
    if not DEBIAN.is_dir():
        pytest.skip(f"needs Debian's dataset-fashion-mnist; {ENABLE}")
    config = copy.deepcopy(CONFIG)
    config["datasets"] = {"digits": {"source": "fashion_mnist", "limit": 4000}}
    network = {"name": "convnet", "channels": [16, 32], "kernel": 3, "dense": 64}
    config["models"]["tiny"]["architecture"] = network
    config["models"]["tiny"]["train"] = {"epochs": 6, "learning_rate": 0.002}
    project.write_config(config)
    project.build()
    dataset = json.loads((project.folder / "results/datasets/digits/manifest.json").read_text())
    assert dataset["facts"]["inputs"]["input"]["shape"] == [28, 28, 1]
    assert len(dataset["facts"]["labels"]) == 10
    assert list(dataset["inputs"]) == ["source"]  # one digest over the four files
    record = json.loads((project.folder / "results/devices/pi-1/tiny/validation.json").read_text())
    assert record["metric"]["device"] > 0.7
