"""examples/cifar10 from its own configuration, on a small archive in the original's format."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

from tests import cifar
from tests.workflow.conftest import ROOT, Project, make_project

pytestmark = pytest.mark.timeout(3600)
TIMEOUT_S = 1700
COUNT = 100


def pictures(seed: int) -> tuple[NDArray[np.uint8], list[int]]:
    """Return a batch of noisy pictures whose colours tell the class."""
    rng = np.random.default_rng(seed)
    classes = np.arange(COUNT) % 10
    colours = np.random.default_rng(0).integers(40, 216, (10, 3))
    noise = rng.normal(0, 30, (COUNT, 32, 32, 3))
    images = np.clip(colours[classes][:, None, None] + noise, 0, 255).astype(np.uint8)
    return images, classes.tolist()


def config(archive: Path) -> dict[str, Any]:
    """Return the example's configuration: this archive, fewer epochs, nothing else changed."""
    value: dict[str, Any] = yaml.safe_load((ROOT / "examples/cifar10/config.yaml").read_text())
    value["datasets"]["cifar"]["path"] = str(archive)
    value["datasets"]["cifar"]["calibration"] = 50
    value["models"]["convnet"]["train"]["epochs"] = 3
    value["models"]["mobilenet"]["train"] |= {"epochs": 6, "batch_size": 16}
    return value


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    folder = tmp_path_factory.mktemp("cifar")
    archive = folder / "cifar-10-python.tar.gz"
    batches = {name: pictures(seed) for seed, name in enumerate(cifar.BATCHES, 1)}
    cifar.write_archive(archive, cifar.members(batches))
    project = make_project(folder / "project", config(archive), TIMEOUT_S)
    project.build()
    yield project
    project.stop_devices()


def test_every_deployment_passes_the_examples_own_gates(project: Project) -> None:
    with (project.folder / "results/report/metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12
    for row in rows:
        assert row["gates_passed"] == "true", row


def test_the_networks_have_the_sizes_that_the_page_gives(project: Project) -> None:
    page = (ROOT / "examples/cifar10/README.md").read_text()
    for model in ("convnet", "mobilenet"):
        manifest = project.folder / f"results/models/{model}/baseline/manifest.json"
        assert f"{json.loads(manifest.read_text())['facts']['parameters']:,}" in page
