"""Training as jobs of a real Slurm on this machine; see tests/system/slurm.py."""

import copy
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.system.conftest import ENABLE
from tests.system.slurm import Slurm, missing, started, wait_for
from tests.workflow.conftest import CONFIG, Project, make_project

MODEL = "results/models/tiny/baseline"
TRAINED = f"{MODEL}/manifest.json"
CHECKPOINT = "results/models/tiny/.baseline.checkpoint"


def config_for(**train: Any) -> dict[str, Any]:
    config = copy.deepcopy(CONFIG)
    cluster = {"partition": "train", "mem_mb": 500, "runtime_min": 5}
    config["models"]["tiny"]["train"] |= {"threads": 1, "cluster": cluster, **train}
    return config


LONG = config_for(epochs=40, patience=40, batch_size=16)


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    if missing():
        pytest.skip(f"needs Slurm ({', '.join(missing())} not found); {ENABLE}")
    if os.geteuid() != 0:
        pytest.skip("needs root, for Slurm's daemons")
    with started(tmp_path_factory.mktemp("slurm")) as running:
        yield running


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of the long training, made on this machine in one go."""
    project = make_project(tmp_path_factory.mktemp("undisturbed") / "project", LONG)
    project.build(TRAINED)
    return files_of(project)


def files_of(project: Project) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (project.folder / MODEL).iterdir()}


@dataclass(frozen=True)
class Build:
    """A build on the cluster that goes on while the test does something to it."""

    project: Project
    process: "subprocess.Popen[str]"

    def end(self) -> tuple[int, str]:
        output, _ = self.process.communicate(timeout=540)
        return self.process.returncode, output

    def checkpoint(self) -> None:
        """Wait until the training has finished an epoch."""
        path = self.project.folder / CHECKPOINT / "progress.npz"
        wait_for(path.exists, "a checkpoint")

    def trainer(self) -> int:
        """Return the process id of the training itself."""
        for path in Path("/proc").glob("[0-9]*"):
            try:
                words = (path / "cmdline").read_text().split("\0")
                mine = (path / "cwd").readlink() == self.project.folder
            except OSError:  # it ended meanwhile
                continue
            if mine and words[1:3] == [f"{Path(sys.executable).parent}/edgeflow", "train"]:
                return int(path.name)
        raise AssertionError("no training runs")


@dataclass(frozen=True)
class Cluster:
    """A project whose trainings run on the cluster."""

    project: Project
    slurm: Slurm

    def start(self, *arguments: str) -> Build:
        pauses = ("--slurm-init-seconds-before-status-checks", "--seconds-between-status-checks")
        quick = [word for option in pauses for word in (option, "2")]
        process = subprocess.Popen(
            ["edgeflow", "run", "--", "--profile", "profiles/slurm", *quick, *arguments],
            cwd=self.project.folder,
            env=self.project.environment() | self.slurm.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return Build(self.project, process)


@pytest.fixture
def cluster(tmp_path: Path, slurm: Slurm) -> Iterator[Cluster]:
    made = make_project(tmp_path / "project", config_for())
    yield Cluster(made, slurm)
    made.stop_devices()


def test_trainings_are_jobs_and_all_else_stays_here(cluster: Cluster) -> None:
    code, output = cluster.start().end()
    assert code == 0, output
    jobs = {event["step"]: event.get("slurm_job") for event in cluster.project.events()}
    assert jobs.pop("train") in cluster.slurm.jobs()
    built = {"dataset", "compress", "debug", "compile", "bundle"}
    assert set(jobs) == {*built, "deploy", "validate", "gate", "report"}
    assert not any(jobs.values())
    assert not (cluster.project.folder / CHECKPOINT).exists()


def test_a_failing_job_is_reported_with_its_log(cluster: Cluster) -> None:
    cluster.project.write_config(config_for(learning_rate=1e38))
    code, output = cluster.start(TRAINED).end()
    assert code == 10, output
    [job] = [e["slurm_job"] for e in cluster.project.events() if e["step"] == "train"]
    log = cluster.project.folder / f"logs/slurm/rule_train/tiny/{job}.log"
    assert str(log) in output
    assert "diverged in epoch" in output
    assert "Error in rule train" in log.read_text()
    assert not list(cluster.project.folder.glob(f"{MODEL}/*"))


def test_a_cancelled_job_is_reported(cluster: Cluster) -> None:
    cluster.project.write_config(LONG)
    build = cluster.start(TRAINED, "--preemptible-retries", "0")
    build.checkpoint()
    job = cluster.slurm.running()
    cluster.slurm.run("scancel", job)
    code, output = build.end()
    assert code != 0
    assert f"SLURM-job '{job}' failed, SLURM status is: 'CANCELLED'" in output
    assert f"logs/slurm/rule_train/tiny/{job}.log" in output
    assert not list(cluster.project.folder.glob(f"{MODEL}/*"))


def test_a_killed_training_is_retried_and_goes_on(
    cluster: Cluster, undisturbed: dict[str, bytes]
) -> None:
    cluster.project.write_config(LONG)
    build = cluster.start(TRAINED)
    build.checkpoint()
    os.kill(build.trainer(), signal.SIGKILL)
    code, output = build.end()
    assert code == 0, output
    assert "status is: 'FAILED'" in output
    query = ("squeue", "--states=all", "--noheader", "--sort=i", "--format=%m")
    memory = cluster.slurm.run(*query).split()[-2:]
    assert memory == ["500M", "1000M"]  # it was killed as for memory
    assert "continues after epoch" in (cluster.project.folder / "logs/train/tiny.log").read_text()
    assert files_of(cluster.project) == undisturbed


def test_a_job_that_slurm_forgot_is_given_up_and_run_again(
    cluster: Cluster, undisturbed: dict[str, bytes]
) -> None:
    cluster.project.write_config(LONG)
    build = cluster.start(TRAINED)
    build.checkpoint()
    job = cluster.slurm.running()
    cluster.slurm.forget_jobs()
    code, output = build.end()
    assert code == 0, output
    assert f"Slurm no longer knows the job '{job}'" in output
    assert files_of(cluster.project) == undisturbed
