"""Runs that are killed, or that meet each other: afterwards one run repairs everything."""

import copy
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.workflow.conftest import CONFIG, Project, make_project
from tests.workflow.test_build import digests

Artifacts = dict[str, dict[str, str]]
"""Digest of each file, by part of the results."""

STEPS = (
    "dataset",
    "train",
    "compress",
    "compile",
    "bundle",
    "deploy",
    "validate",
    "gate",
    "report",
)


@pytest.fixture
def reference(built: Project) -> Artifacts:
    """What a clean build gives, and every repaired one must."""
    return artifacts(built)


def start(project: Project) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        ["snakemake", "--cores", "2"],
        cwd=project.folder,
        env=project.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def kill_in(project: Project, step: str) -> None:
    """SIGKILL snakemake and its jobs as soon as the step has begun to write its log."""
    process = start(project)
    while not list(project.folder.glob(f"logs/{step}/*.log")):
        assert process.poll() is None, f"it ended before {step}"
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def artifacts(project: Project) -> Artifacts:
    parts = ("datasets", "models", "targets")
    return {part: digests(project.folder / "results" / part) for part in parts}


def test_one_run_repairs_what_was_killed_in_every_step(
    reference: Artifacts, tmp_path: Path
) -> None:
    """The same project is killed in each step in turn, then built once."""
    project = make_project(tmp_path / "project")
    try:
        for step in STEPS:
            kill_in(project, step)
        project.build()
        assert "Nothing to be done" in project.build()
        assert artifacts(project) == reference
        assert not list(project.folder.glob("results/**/.*.part"))
    finally:
        project.stop_devices()


def test_a_second_run_on_the_same_folder_is_refused_or_does_the_same(
    reference: Artifacts, tmp_path: Path
) -> None:
    project = make_project(tmp_path / "project")
    try:
        first = start(project)
        while not (project.folder / ".snakemake/locks").is_dir():
            assert first.poll() is None
            time.sleep(0.01)
        while not any((project.folder / ".snakemake/locks").iterdir()):
            assert first.poll() is None
            time.sleep(0.01)
        second = project.snakemake()
        assert second.returncode != 0
        assert "lock" in (second.stdout + second.stderr).lower()
        assert first.wait(timeout=600) == 0
        assert artifacts(project) == reference
    finally:
        project.stop_devices()


def test_two_projects_share_a_store_at_once(reference: Artifacts, tmp_path: Path) -> None:
    config: dict[str, Any] = copy.deepcopy(CONFIG)
    config["store"] = {"path": str(tmp_path / "store")}
    projects = [make_project(tmp_path / name, config) for name in ("a", "b")]
    try:
        processes = [start(project) for project in projects]
        assert [process.wait(timeout=600) for process in processes] == [0, 0]
        for project in projects:
            assert artifacts(project) == reference
    finally:
        for project in projects:
            project.stop_devices()


def test_what_was_changed_by_hand_is_made_again(reference: Artifacts, tmp_path: Path) -> None:
    """A corrupt store and a corrupt result are noticed, said, and repaired by one run."""
    config: dict[str, Any] = copy.deepcopy(CONFIG)
    config["store"] = {"path": str(tmp_path / "store")}
    project = make_project(tmp_path / "project", config)
    try:
        project.build("--until", "compress")
        for blob in (tmp_path / "store").glob("store/blobs/*/*"):
            data = blob.read_bytes()
            blob.unlink()
            blob.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        said = project.build("--until", "bundle", "debug", "--forceall")
        assert "drops" in said
        assert artifacts(project) == reference
    finally:
        project.stop_devices()
