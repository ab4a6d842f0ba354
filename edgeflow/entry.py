"""Where the command `edgeflow` begins: standard library only, for all that needs no more."""

import os


def main() -> None:
    """Run the command line; in a job of Snakemake's, by its step server if that takes it."""
    if "EDGEFLOW_STEP_SERVER" in os.environ:
        from edgeflow.stepserver.client import hand_over

        hand_over()
    from edgeflow.cli.app import main as run

    run()
