"""Where the command `edgeflow` begins: standard library only, for all that needs no more."""

import os
import sys


def main() -> None:
    """Run the command line; Ctrl-C ends it quietly, whenever it comes."""
    try:
        _run()
    except KeyboardInterrupt:  # before there is a command that handles it
        sys.exit(130)


def _run() -> None:
    """Run the command line; in a job of Snakemake's, by its step server if that takes it."""
    if sys.argv[1:2] == ["run"] and _is_up_to_date(sys.argv[2:]):
        return
    if "EDGEFLOW_STEP_SERVER" in os.environ:
        from edgeflow.stepserver.client import hand_over

        hand_over()
    from edgeflow.cli.app import main as run

    run()


def _is_up_to_date(arguments: list[str]) -> bool:
    """Say that there is nothing to do, if the project's stamp tells so."""
    from edgeflow.stamp.check import answer

    said = answer(arguments)
    if said is not None:
        sys.stderr.write(said)
    return said is not None
