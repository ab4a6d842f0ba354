"""A build that shares no file system: what a rule does not declare is not there for its step."""

import copy
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.conftest import ENABLE
from tests.workflow.conftest import CONFIG, Project, make_project


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    if shutil.which("rsync") is None:
        pytest.skip(f"needs rsync, for Snakemake's storage plug-in fs; {ENABLE}")
    config = copy.deepcopy(CONFIG)
    del config["deployments"][1]
    made = make_project(tmp_path / "project", config)
    (made.folder / "profiles" / "default" / "config.yaml").write_text(
        (made.folder / "profiles" / "default" / "config.yaml").read_text()
        + "default-storage-provider: fs\n"
        + f"default-storage-prefix: {tmp_path}/storage\n"
        + "shared-fs-usage: none\n"
    )
    yield made
    made.stop_devices()


def test_a_build_whose_files_are_all_in_a_storage(project: Project) -> None:
    output = project.build()
    storage = project.folder.parent / "storage"
    assert f"the report is in the storage: {storage}/results/report/index.html" in output
    assert "tiny,int8,pi,pi-1" in (storage / "results/report/metrics.csv").read_text()
    assert not (project.folder / "results").exists()
    assert not list((project.folder / ".snakemake/storage").rglob("*.json"))
    assert {event["outcome"] for event in project.events()} == {"done"}
    assert project.would_run() == {}

    shutil.copy(storage / "results/models/tiny/int8/model.tflite", project.folder / "mine.tflite")
    config = copy.deepcopy(CONFIG)
    config["models"] = {"mine": {"dataset": "digits", "source": "mine.tflite"}}
    config["recipes"] = {"as-it-is": {}}
    config["deployments"] = [
        {"model": "mine", "recipe": "as-it-is", "devices": ["pi-1"], "measure": {"runs": 10}}
    ]
    project.write_config(config)
    assert project.would_run().keys() >= {"import_flatbuffer", "compress", "validate"}
    project.build()
    assert "mine,as-it-is,pi,pi-1" in (storage / "results/report/metrics.csv").read_text()
    assert project.would_run() == {}


def test_the_exit_code_of_a_failed_step_is_known(project: Project) -> None:
    config = copy.deepcopy(CONFIG)
    config["datasets"]["digits"] = {"source": "npz", "path": "nowhere.npz"}
    project.write_config(config)
    done = project.command("edgeflow", "run", "--", "results/datasets/digits/manifest.json")
    assert done.returncode == 9, done.stdout + done.stderr
