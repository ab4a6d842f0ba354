"""Lets Snakemake run more jobs that wait for devices than this machine has cores."""

import functools
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

EXECUTOR = "snakemake.executors.local"


def make_room(jobs: int) -> None:
    """Let Snakemake's local executor run so many jobs that take no core, beside all others.

    It has five workers more than cores, whatever the jobs' resources allow: without this, jobs
    that wait for slow devices would keep trainings from the cores that are free for them.
    """
    module = sys.modules.get(EXECUTOR)
    if module is not None:
        widen(module.Executor, jobs)


def widen(executor: type[Any], jobs: int) -> None:
    """Give an executor class as many more workers, once."""
    prepare = executor.__post_init__
    if hasattr(prepare, "__wrapped__"):
        return

    @functools.wraps(prepare)
    def prepared(self: Any) -> None:
        prepare(self)
        self.workers += jobs
        self.pool = ThreadPoolExecutor(max_workers=self.workers)  # it starts them when needed

    executor.__post_init__ = prepared
