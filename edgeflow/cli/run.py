"""`edgeflow run`: the build, with the exit code of the first step that failed."""

from typing import Annotated

import typer


def run(
    arguments: Annotated[
        list[str] | None, typer.Argument(help="Passed to snakemake, for example -n or --cores 4.")
    ] = None,
) -> None:
    """Run snakemake, and exit with the code of the first step that failed."""
    from edgeflow.cli.workflow import run_snakemake

    raise typer.Exit(run_snakemake(arguments or []))
