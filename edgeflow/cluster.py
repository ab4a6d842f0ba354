"""What Snakemake's Slurm executor lacks so that every run comes to an end.

It waits for a state of its jobs for as long as Slurm gives none: for ever, where Slurm forgot the
job because it ended more than `MinJobAge` ago or the controller lost its state. Where all queries
of a round fail, it forgets its jobs and waits for them too.
"""

import asyncio
import functools
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from edgeflow import retries

PLUGIN = "snakemake_executor_plugin_slurm"
ROUNDS = 3
"""Rounds of status checks without a trace of a job until it counts as lost."""
QUERY_TIMEOUT_S = 60

Check = Callable[[Any, list[Any]], AsyncIterator[Any]]


def guard_slurm() -> None:
    """Let Snakemake's Slurm executor, if this process has it, give up jobs that Slurm forgot."""
    plugin = sys.modules.get(PLUGIN)
    if plugin is not None and not hasattr(plugin.Executor.check_active_jobs, "__wrapped__"):
        guard(plugin.Executor)
        vars(plugin)["set_gres_string"] = _any_gres(vars(plugin)["set_gres_string"])


def guard(executor: type[Any]) -> None:
    """Wrap the methods of Snakemake's executor interface that decide when a job ended."""
    for name in ("report_job_success", "report_job_error"):
        setattr(executor, name, _noted(getattr(executor, name)))
    executor.check_active_jobs = _guarded(executor.check_active_jobs)


def _noted(report: Callable[..., None]) -> Callable[..., None]:
    """Mark the jobs that the executor reports as ended."""

    @functools.wraps(report)
    def noted(self: Any, job: Any, *arguments: Any, **keywords: Any) -> None:
        if job.aux is not None:  # as it is of a job that could not be submitted
            job.aux["ended"] = True
            if report.__name__ == "report_job_error":
                message = str(keywords.get("msg") or next(iter(arguments), ""))
                log = Path(str(job.aux["slurm_logfile"]))
                retries.consider(job.job, str(job.external_jobid), message, log)
        report(self, job, *arguments, **keywords)

    return noted


def _any_gres(checked: Callable[[Any], str]) -> Callable[[Any], str]:
    """Pass on what the configuration allows: the executor knows one entry without hyphens."""

    @functools.wraps(checked)
    def set_gres_string(job: Any) -> str:
        gres = job.resources.get("gres")
        return f" --gres={gres}" if gres else checked(job)

    return set_gres_string


def _guarded(check: Check) -> Check:
    """Keep every job until it was reported; report those that Slurm does not know."""

    @functools.wraps(check)
    async def guarded(self: Any, active_jobs: list[Any]) -> AsyncIterator[Any]:
        async for _ in check(self, active_jobs):
            pass
        longest = self.workflow.remote_execution_settings.seconds_between_status_checks
        # The executor's own pauses grow up to three minutes.
        self.next_seconds_between_status_checks = min(
            self.next_seconds_between_status_checks, longest
        )
        waiting = [job for job in active_jobs if "ended" not in job.aux]
        known = await _known_jobs(self.run_uuid) if waiting else None
        for job in waiting:
            if _is_lost(job, known):
                _give_up(self, job)
            else:
                yield job

    return guarded


def _is_lost(job: Any, known: set[str] | None) -> bool:
    """Return whether Slurm knew nothing of a job in this and the rounds before."""
    if known is None:  # Slurm does not answer, which is no answer
        return False
    name = str(job.external_jobid).partition("_")[0]  # a task of an array is 12_3
    job.aux["missed"] = 0 if name in known else job.aux.get("missed", 0) + 1
    return bool(job.aux["missed"] >= ROUNDS)


def _give_up(executor: Any, job: Any) -> None:
    executor.report_job_error(
        job,
        msg=f"Slurm no longer knows the job '{job.external_jobid}': it ended more than MinJobAge "
        "ago, or slurmctld lost its state. What it finished is in the store, and a training goes "
        "on from its last checkpoint. ",
        aux_logs=[str(job.aux["slurm_logfile"])],
    )


async def _known_jobs(run: str) -> set[str] | None:
    """Return the ids of the run's jobs that Slurm knows, ended ones too; None if it is silent."""
    command = ("squeue", "--name", run, "--states=all", "--noheader", "--format=%F")
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), QUERY_TIMEOUT_S)
    except TimeoutError:
        process.kill()
        return None
    return set(output.decode().split()) if process.returncode == 0 else None
