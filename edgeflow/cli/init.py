"""`edgeflow init`: a project of one's own."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from edgeflow.project.kinds import Template
else:
    from typing import Literal

    Template = Literal["image", "audio", "signal", "model-file"]


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the new project.")],
    template: Annotated[
        Template, typer.Option("--template", "-t", help="What to start from.")
    ] = "image",
) -> None:
    """Start a project: a commented config.yaml and what else `edgeflow run` needs."""
    from edgeflow.project.create import create
    from edgeflow.project.kinds import draft_of

    written = create(folder, draft_of(template))
    print(f"{folder}: {', '.join(sorted(written))}")
    steps = ["edgeflow check", "edgeflow run"]
    if folder.absolute() != Path.cwd():
        steps.insert(0, f"cd {folder}")
    print("next: " + " && ".join(steps))


def schema() -> None:
    """Print the JSON schema of config.yaml, for editors: edgeflow schema > config.schema.json."""
    from edgeflow.project.draft import schema_text

    print(schema_text(), end="")
