"""Snakemake with edgeflow's display: what `edgeflow run` starts, as `python -m`."""

import ctypes
import runpy
import signal
import sys
from pathlib import Path
from typing import NoReturn

LOGGERS = Path(__file__).parent / "display" / "logger"
_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Run Snakemake; where the rules refuse the configuration, exit with the code of that."""
    from edgeflow.cli.display.announced import refusal

    end_as_by_ctrl_c()
    sys.path.append(str(LOGGERS))
    try:
        runpy.run_module("snakemake", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        error = refusal()
        if end.code and error is not None:
            sys.exit(error.exit_code)
        raise


def end_as_by_ctrl_c() -> None:
    """Let SIGTERM, and the death of `edgeflow run`, end Snakemake and its jobs as Ctrl-C does.

    A terminal sends Ctrl-C to the jobs too. Snakemake alone would wait for them, a training for
    hours, and not end the jobs that it has given to a cluster.
    """
    from snakemake.scheduling.job_scheduler import JobScheduler

    JobScheduler.exit_gracefully = _interrupt  # its handler of SIGTERM
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _interrupt(*_: object) -> NoReturn:
    from edgeflow.cli.families import end_jobs

    end_jobs()
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
