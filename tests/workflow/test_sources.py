"""What `snakemake` plans when a file from outside is replaced, with its time brought along."""

import copy
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.workflow.conftest import CONFIG, ROOT, Project, change_quietly, make_project

STAND_IN = ROOT / "benchmarks" / "bare"
"""A program `edgeflow` that makes empty outputs: here only the plan counts."""


def config() -> dict[str, Any]:
    raw = copy.deepcopy(CONFIG)
    raw["datasets"]["pets"] = {"source": "image_folder", "path": "pets", "size": [8, 8]}
    raw["models"] = {
        "tiny": {**CONFIG["models"]["tiny"], "dataset": "pets"},
        "mine": {"dataset": "digits", "source": "mine"},
    }
    raw["devices"] = {
        "pi-1": {"target": "pi", "transport": "virtual", "environment": "pi.txt"},
        "intel-1": {"target": "intel", "transport": "virtual"},
    }
    raw["deployments"][1]["model"] = "mine"
    return raw


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project all of whose outputs are there, though empty."""
    folder = tmp_path_factory.mktemp("sources") / "project"
    for name in ("pets/cat/1.png", "pets/cat/2.png", "pets/dog/1.png", "pi.txt"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    for name in ("saved_model.pb", "variables/variables.index"):
        path = folder / "mine" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    project = make_project(folder, config())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            Project,
            "environment",
            lambda self: {**_ENVIRONMENT(self), "EDGEFLOW_BIN": str(STAND_IN)},
        )
        project.build("--no-hooks")
    assert project.would_run() == {}
    return project


_ENVIRONMENT = Project.environment


def swap(folder: Path) -> None:
    one, other = folder / "pets/cat/1.png", folder / "pets/dog/1.png"
    for old, new in ((one, folder / "x"), (other, one), (folder / "x", other)):
        old.rename(new)


@pytest.mark.parametrize(
    ("change", "first", "untouched"),
    [
        (lambda folder: change_quietly(folder / "pets/cat/2.png"), "dataset", "import_graph"),
        (swap, "dataset", "import_graph"),
        (
            lambda folder: change_quietly(folder / "mine/variables/variables.index"),
            "import_graph",
            "train",
        ),
        (lambda folder: change_quietly(folder / "envs/openvino-device.txt"), "", ""),
        (lambda folder: change_quietly(folder / "pi.txt"), "deploy", "bundle"),
    ],
    ids=["an image", "two images", "a file of a SavedModel", "a lock not used", "a device's lock"],
)
def test_a_quiet_change_is_planned_for(
    planned: Project, change: Callable[[Path], None], first: str, untouched: str
) -> None:
    kept = planned.folder.parent / "kept"
    shutil.copytree(planned.folder, kept, symlinks=True)
    change(planned.folder)
    jobs = planned.would_run()
    shutil.rmtree(planned.folder)
    kept.rename(planned.folder)
    assert jobs.get(first, 1) == 1
    assert untouched not in jobs
    assert bool(jobs) == bool(first)
    assert ("validate" in jobs) == bool(first)


def test_touching_a_source_plans_nothing(planned: Project) -> None:
    for path in (planned.folder / "pets").rglob("*.png"):
        os.utime(path)
    assert planned.would_run() == {}
