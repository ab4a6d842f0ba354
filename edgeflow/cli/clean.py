"""`edgeflow clean`: back to the sources of a project."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from edgeflow.cli.project import CONFIG, Json, print_json
from edgeflow.errors import EdgeflowError

MADE = (Path("results"), Path("logs"), Path(".snakemake"), Path(".edgeflow"))
"""What builds make in a project; the claim of whoever cleans lies in the last one."""


def clean(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="Say what would be removed; remove nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Remove what builds made in this folder: results, logs, state, virtual devices.

    The store stays, so the next build takes from it what it made before.
    """
    from edgeflow.cli.workflow import busy, claim
    from edgeflow.config.document import require_project

    require_project(CONFIG)
    found = [path for path in MADE if path.is_symlink() or path.exists()]
    _spare_the_store(found)
    if found and not dry_run and not claim(Path.cwd()):
        raise busy(Path.cwd())
    for path in found if not dry_run else ():
        _remove(path)
    if as_json:
        print_json({"removed": list(map(str, found)), "dry_run": dry_run})
        return
    for path in found:
        print(f"{'would remove' if dry_run else 'removed'} {path}")
    if not found:
        print("nothing to remove")


def _spare_the_store(found: list[Path]) -> None:
    """Refuse to go on if the store lies in what is to be removed."""
    for store in _stores():
        inside = [path for path in found if store.resolve().is_relative_to(path.resolve())]
        if inside:
            raise EdgeflowError(
                f"the store {store} lies in {inside[0]}, which would be removed",
                hint="move it elsewhere, and change `store: path:`; or remove folders by hand",
            )


def _stores() -> Iterator[Path]:
    """Yield where a store of this project may lie; the configuration need not be valid."""
    import os

    from edgeflow.artifact.tiers import FOLDER
    from edgeflow.cli.names import raw_section

    if (named := os.environ.get(FOLDER)) and named != "off":
        yield Path(named).expanduser()
    if isinstance(path := raw_section(CONFIG, "store").get("path"), str):
        yield Path(path).expanduser()


def _remove(path: Path) -> None:
    """Remove a folder; of a link to one, which somebody made, the link alone."""
    if path.is_symlink() or not path.is_dir():
        path.unlink()
    else:
        shutil.rmtree(path)
