import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edgeflow.cluster import ROUNDS, guard


@dataclass
class Job:
    """As Snakemake's `SubmittedJobInfo`."""

    external_jobid: str
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

    def report_job_error(self, job: Job, msg: str, aux_logs: list[str]) -> None:
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
