import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from edgeflow import retries
from edgeflow.cluster import ROUNDS, guard, guard_slurm
from edgeflow.config.model import Cluster


@dataclass
class Job:
    """As Snakemake's `SubmittedJobInfo`."""

    external_jobid: str
    job: Any = None
    aux: dict[str, Any] | None = field(default_factory=lambda: {"slurm_logfile": "1.log"})


class Executor:
    """As Snakemake's Slurm executor: drops all jobs in a round whose queries fail."""

    run_uuid = "run"
    next_seconds_between_status_checks = 180
    workflow = SimpleNamespace(
        remote_execution_settings=SimpleNamespace(seconds_between_status_checks=10)
    )

    def __init__(self) -> None:
        self.finished: list[Job] = []
        self.errors: list[str] = []
        self.silent = False

    def report_job_success(self, job: Job) -> None:
        self.finished.remove(job)

    def report_job_error(self, job: Job, msg: str = "", aux_logs: Sequence[str] = ()) -> None:
        self.errors.append(f"{msg} {aux_logs}")

    async def check_active_jobs(self, active_jobs: list[Job]) -> AsyncIterator[Job]:
        for job in [] if self.silent else active_jobs:
            if job in self.finished:
                self.report_job_success(job)
            else:
                yield job


@pytest.fixture
def executor() -> Executor:
    class Guarded(Executor):
        report_job_success = Executor.report_job_success
        report_job_error = Executor.report_job_error
        check_active_jobs = Executor.check_active_jobs

    guard(Guarded)
    return Guarded()


@pytest.fixture
def squeue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that a squeue on the path prints; without it, it fails."""
    answer = tmp_path / "answer"
    program = tmp_path / "squeue"
    program.write_text(f"#!/bin/sh\nexec cat {answer}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return answer


def check(executor: Executor, jobs: list[Job]) -> list[Job]:
    async def collect() -> list[Job]:
        return [job async for job in executor.check_active_jobs(jobs)]

    return asyncio.run(collect())


def test_a_job_that_slurm_forgot_is_an_error(executor: Executor, squeue: Path) -> None:
    known, array, forgotten = jobs = [Job("1"), Job("2_7"), Job("3")]
    squeue.write_text("1\n2\n")
    for _ in range(ROUNDS - 1):
        assert check(executor, jobs) == jobs
    assert check(executor, jobs) == [known, array]
    [error] = executor.errors
    assert "Slurm no longer knows the job '3'" in error
    assert "1.log" in error
    assert forgotten.aux is not None
    assert forgotten.aux["ended"]


def test_one_answer_clears_the_doubt(executor: Executor, squeue: Path) -> None:
    job = Job("1")
    for answer in ["", "", "1\n", "", ""]:
        squeue.write_text(answer)
        assert check(executor, [job]) == [job]
    assert executor.errors == []


def test_a_silent_slurm_is_waited_for(executor: Executor, squeue: Path) -> None:
    executor.silent = True
    job = Job("1")
    for _ in range(2 * ROUNDS):
        assert check(executor, [job]) == [job]
    assert executor.errors == []


def test_a_finished_job_is_not_waited_for(executor: Executor, squeue: Path) -> None:
    squeue.write_text("")
    job = Job("1")
    executor.finished.append(job)
    assert check(executor, [job]) == []
    assert executor.errors == []


def test_a_job_that_was_never_submitted_is_reported(executor: Executor) -> None:
    executor.report_job_error(Job("", aux=None), msg="sbatch failed", aux_logs=[])
    assert executor.errors == ["sbatch failed []"]


def test_pauses_stay_short(executor: Executor, squeue: Path) -> None:
    check(executor, [Job("1")])
    assert executor.next_seconds_between_status_checks == 10


class SnakemakeJob:
    """As a job of Snakemake, with the scheduler's rule for another attempt."""

    def __init__(self, name: str) -> None:
        self.wildcards = {"model": name}
        self.attempt, self.restart_times = 1, 2

    def restarts(self) -> bool:
        return self.restart_times > self.attempt - 1


KILLED = "/bin/bash: line 1: 4711 Killed    edgeflow train --name m\n"
OOM = "slurmstepd: error: Detected 1 oom_kill event in StepId=7.0.\n"


@pytest.mark.parametrize(
    ("state", "log", "event", "restarts", "kills"),
    [
        ("OUT_OF_MEMORY", "", None, True, 1),
        ("FAILED", OOM, None, True, 1),
        ("FAILED", KILLED, None, True, 1),
        ("FAILED", "", {"exit_code": 1, "error": "MemoryError"}, True, 1),
        ("FAILED", "edgeflow: command not found\n", None, True, 0),
        ("CANCELLED", KILLED, None, True, 0),
        ("TIMEOUT", KILLED, None, True, 0),
        ("PREEMPTED", KILLED, None, True, 0),
        ("NODE_FAIL", "", None, True, 0),
        ("FAILED", "", {"exit_code": 10}, False, 0),
        ("FAILED", "", {"exit_code": 9}, False, 0),
        ("FAILED", "", {"exit_code": 1}, False, 0),
        ("FAILED", "", {"exit_code": 0, "outcome": "done"}, True, 0),
        ("FAILED", KILLED, {"exit_code": 10, "slurm_job": "6"}, True, 1),
    ],
)
def test_who_gets_another_attempt_and_who_more_memory(
    executor: Executor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    state: str,
    log: str,
    event: dict[str, Any] | None,
    restarts: bool,
    kills: int,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(retries, "_kills", type(retries._kills)())
    (tmp_path / "7.log").write_text(log)
    (tmp_path / "logs").mkdir()
    lines = [json.dumps({"outcome": "failed", "slurm_job": "7", **event})] if event else []
    (tmp_path / "logs" / "events.jsonl").write_text("\n".join(["{torn 7", *lines]) + "\n")
    job = SnakemakeJob("m")
    submitted = Job("7", job, aux={"slurm_logfile": tmp_path / "7.log"})
    message = f"SLURM-job '7' failed, SLURM status is: '{state}'. "
    executor.report_job_error(submitted, msg=message, aux_logs=[])
    assert (job.restarts(), retries.memory_kills({"model": "m"}.items())) == (restarts, kills)
    assert retries.memory_kills({"model": "other"}.items()) == 0


GRES = ["gpu", "gpu:1", "gpu:a100:2", "gpu:a100-80gb:1", "gpu:1,nvme:10G", "gres/gpu:1g.5gb:1"]


@pytest.mark.parametrize("gres", GRES)
def test_what_slurm_knows_as_resources_reaches_it(
    monkeypatch: pytest.MonkeyPatch, gres: str
) -> None:
    plugin = pytest.importorskip("snakemake_executor_plugin_slurm")
    for name in ("report_job_success", "report_job_error", "check_active_jobs"):
        monkeypatch.setattr(plugin.Executor, name, getattr(plugin.Executor, name))
    monkeypatch.setattr(plugin, "set_gres_string", plugin.set_gres_string)
    guard_slurm()
    asked = {"gres": Cluster(gres=gres).gres}
    assert plugin.set_gres_string(SimpleNamespace(resources=asked)) == f" --gres={gres}"
    assert plugin.set_gres_string(SimpleNamespace(resources={"gpu": 2})) == " --gpus=2"


@pytest.mark.parametrize("gres", ["", "gpu:", "gpu:1,", "gpu 1", "gpu:1;reboot", "'gpu:1'", "-gpu"])
def test_what_slurm_does_not_know_is_an_error_of_the_configuration(gres: str) -> None:
    with pytest.raises(ValidationError, match="gres"):
        Cluster(gres=gres)
