"""Snakemake with edgeflow's display: what `edgeflow run` starts, as `python -m`."""

import runpy
import sys
from pathlib import Path

LOGGERS = Path(__file__).parent / "display" / "logger"


def main() -> None:
    """Run Snakemake; where the rules refuse the configuration, exit with the code of that."""
    from edgeflow.cli.display.announced import refusal

    sys.path.append(str(LOGGERS))
    try:
        runpy.run_module("snakemake", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        error = refusal()
        if end.code and error is not None:
            sys.exit(error.exit_code)
        raise


if __name__ == "__main__":
    main()
