"""`edgeflow init`: a project of one's own."""

import re
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple, get_args

import typer

from edgeflow.console import say

if TYPE_CHECKING:
    from edgeflow.project.draft import Draft

Template = Literal["image", "audio", "signal", "model-file"]
TEMPLATES: tuple[Template, ...] = get_args(Template)
_ACCOUNT = re.compile(r"(?:(?P<user>[a-z_][a-z0-9_.-]*)@)?(?P<host>[A-Za-z0-9][A-Za-z0-9_.:%-]*)")


class Wanted(NamedTuple):
    """What the options, or the answers on a terminal, say."""

    template: Template | None = None
    data: Path | None = None
    model: Path | None = None
    device: str = ""


def init(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder of the new project.")
    ] = Path(),
    template: Annotated[
        Template | None, typer.Option("--template", "-t", help="An example to start from.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Your data: a folder of images or WAV files by class, or an .npz file."),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(help="Your model: .onnx, .tflite, .keras, .h5, or a SavedModel's folder."),
    ] = None,
    device: Annotated[
        str, typer.Option(metavar="[USER@]HOST", help="A board, to be written down as a comment.")
    ] = "",
) -> None:
    """Start a project: a commented config.yaml, and what else `edgeflow run` needs.

    Without options it asks on a terminal, and takes the template `image` elsewhere.
    """
    from edgeflow.project.create import create, require_free

    require_free(folder)
    wanted = Wanted(template, data, model, device)
    if wanted == Wanted() and sys.stdin.isatty() and sys.stdout.isatty():
        wanted = _asked()
    written = create(folder, _on_board(_draft(folder, wanted), wanted.device))
    print(f"{folder}: {', '.join(sorted(written))}")
    for line in _next(folder, wanted):
        print(line)


def _asked() -> Wanted:
    """Return what the user answers."""

    def ask(text: str) -> str:
        return str(typer.prompt(text, default="", show_default=False)).strip()

    data = ask("Your data, a folder or .npz file (empty: an example)")
    model = ask("Your model file (empty: train one)" if data else "Your model file (empty: none)")
    template: Template | None = None
    if not data and not model:
        template = _chosen_template()
    device = ask("A board of yours, USER@HOST (empty: virtual devices alone)")
    return Wanted(template, Path(data) if data else None, Path(model) if model else None, device)


def _chosen_template() -> Template:
    while True:
        answer = typer.prompt(f"Example: {', '.join(TEMPLATES)}", default=TEMPLATES[0])
        for template in TEMPLATES:
            if answer == template:
                return template


def _draft(folder: Path, wanted: Wanted) -> "Draft":
    from edgeflow.project.kinds import draft_of
    from edgeflow.project.own import draft_from

    if wanted.data is None and wanted.model is None:
        return draft_of(wanted.template or "image")
    if wanted.template is not None:
        raise typer.BadParameter("an example, or your own --data and --model", param_hint="-t")
    draft, told = draft_from(folder, wanted.data, wanted.model)
    for line in told:
        say(line)
    return draft


def _on_board(draft: "Draft", device: str) -> "Draft":
    """Return a draft whose comment tells of a board."""
    found = _ACCOUNT.fullmatch(device)
    if device and found is None:
        raise typer.BadParameter(f"{device!r} is not [USER@]HOST", param_hint="--device")
    if found is None:
        return draft
    return replace(draft, host=found["host"], user=found["user"] or draft.user)


def _next(folder: Path, wanted: Wanted) -> list[str]:
    """Return what to do next, as lines."""
    there = [] if folder.absolute() == Path.cwd() else [f"cd {shlex.quote(str(folder))}"]
    lines = [f"next: {' && '.join([*there, 'edgeflow check', 'edgeflow run'])}"]
    if wanted.model is not None and wanted.data is None:
        lines = [
            *(f"next: {each}" for each in there),
            "next: replace FILL-IN in config.yaml",
            "next: edgeflow check && edgeflow run",
        ]
    if wanted.device:
        host = wanted.device.rpartition("@")[2]
        lines.append(f"your board: edgeflow device trust {host}, then its lines in config.yaml")
    return lines


def schema() -> None:
    """Print the JSON schema of config.yaml, for editors: edgeflow schema > config.schema.json."""
    from edgeflow.project.draft import schema_text

    print(schema_text(), end="")
