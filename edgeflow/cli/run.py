"""`edgeflow run`: the build, with the exit code of the first step that failed."""

from typing import Annotated

import typer

from edgeflow.cli.names import names_of

Names = list[str] | None


def _option(kind: str) -> object:
    return typer.Option(
        f"--{kind}",
        metavar="NAME",
        help="Build only this model." if kind == "model" else f"Build only for this {kind}.",
        autocompletion=names_of(f"{kind}s"),
    )


def run(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[-- SNAKEMAKE...]", help="Snakemake's own arguments, such as --cores 4."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="Say what would run, and why; run nothing.")
    ] = False,
    target: Annotated[Names, _option("target")] = None,
    device: Annotated[Names, _option("device")] = None,
    model: Annotated[Names, _option("model")] = None,
) -> None:
    """Build what has changed; exit with the code of the first step that failed.

    --target, --device and --model may be repeated: a deployment is built if it is of one of the
    names of each. The report is then made of all that has been measured so far.
    """
    from edgeflow.cli.workflow import run_snakemake

    selection = {"target": target or (), "device": device or (), "model": model or ()}
    options = ["--dry-run"] if dry_run else []
    raise typer.Exit(run_snakemake([*(arguments or ()), *options], selection))
