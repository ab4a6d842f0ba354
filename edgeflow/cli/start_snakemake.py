"""Snakemake with edgeflow's display: what `edgeflow run` starts, as `python -m`."""

import argparse
import ctypes
import runpy
import signal
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from edgeflow.imports import import_later

LOGGERS = Path(__file__).parent / "display" / "logger"
OWN = ("--dry-run", "--target", "--device", "--model")
"""What `edgeflow run` takes itself."""
ASKED = ("selection", "waves")
"""Rules of edgeflow that its commands ask for."""
SELDOM_USED = ("boto3", "numpy", "pandas", "paramiko")
"""What Snakemake and its plugins import at each start, a third of it, for clusters and buckets."""
_ASKED_BY = ("targets", "forcerun")
_PR_SET_PDEATHSIG = 1
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> None:
    """Run Snakemake; where the rules refuse the configuration, exit with the code of that."""
    try:
        _run()
    except KeyboardInterrupt:  # while it plans, or draws the report: no job runs then
        sys.exit(128 + signal.SIGINT)
    finally:
        for number in _ENDING:  # it is about to end anyway
            signal.signal(number, signal.SIG_IGN)


def _run() -> None:
    from edgeflow.cli.display.announced import refusal

    import_later(*SELDOM_USED)
    end_as_by_ctrl_c()
    leave_out_own_profile()
    ask_by_the_names_of_a_module()
    argparse.ArgumentParser.error = refuse_arguments  # type: ignore[assignment, method-assign]
    sys.path.append(str(LOGGERS))
    try:
        runpy.run_module("snakemake", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        error = refusal()
        if end.code and error is not None:
            sys.exit(error.exit_code)
        raise


def end_as_by_ctrl_c() -> None:
    """Let what asks to end, and the death of `edgeflow run`, end Snakemake and its jobs as Ctrl-C.

    A terminal sends Ctrl-C to the jobs too. Snakemake alone would wait for them, a training for
    hours, and not end the jobs that it has given to a cluster. Of SIGHUP it would just die.
    """
    from snakemake.scheduling.job_scheduler import JobScheduler

    JobScheduler.exit_gracefully = _interrupt  # its handler of SIGTERM
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, _interrupt)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def leave_out_own_profile() -> None:
    """Let Snakemake not say in each run that it uses edgeflow's own settings."""
    from snakemake import cli

    def say(*words: object, **options: Any) -> None:
        if not " ".join(map(str, words)).startswith("Using workflow specific profile"):
            print(*words, **options)

    cli.print = say


def ask_by_the_names_of_a_module() -> None:
    """Let what `edgeflow run` asks for be found where a workflow gives edgeflow's rules a prefix.

    The rules have been read when Snakemake learns what to build.
    """
    from snakemake.api import DAGApi

    begin = DAGApi.__post_init__

    def begin_renamed(api: Any) -> None:
        begin(api)
        workflow = api.workflow_api._workflow
        asked = {name: as_renamed(getattr(api.dag_settings, name)) for name in _ASKED_BY}
        workflow.dag_settings = replace(api.dag_settings, **asked)

    DAGApi.__post_init__ = begin_renamed


def as_renamed(names: Iterable[str]) -> set[str]:
    """Return names of rules, those that `edgeflow run` and `rollout` ask for as they are called."""
    from edgeflow.cli.display.announced import builds

    chosen = next((build for build in builds() if build.chosen), None)
    return {
        chosen.renamed(name) if chosen is not None and name in ASKED else name for name in names
    }


def _interrupt(*_: object) -> NoReturn:
    from edgeflow.cli.families import end_jobs

    end_jobs()
    raise KeyboardInterrupt


def refuse_arguments(parser: argparse.ArgumentParser, message: str) -> NoReturn:
    """Say what is wrong with the arguments, without the usage, which fills a screen."""
    print(f"error: {message.partition(' (choose from')[0]}", file=sys.stderr)
    for hint in _hints(parser, message):
        print(f"  hint: {hint}", file=sys.stderr)
    sys.exit(2)


def _hints(parser: argparse.ArgumentParser, message: str) -> Iterator[str]:
    from edgeflow.config.finding import closest

    if "invalid choice: 'slurm'" in message:
        yield "the executor for Slurm comes with `edgeflow-ml[slurm]`; see docs/cluster.md"
        return
    known = {*parser._option_string_actions, *OWN}
    for word in message.split():
        if word.startswith("-") and (close := closest(word.partition("=")[0], known)):
            yield f"did you mean {close}?"
    yield "`edgeflow run --help` and `snakemake --help` list what there is"


if __name__ == "__main__":
    main()
