"""`edgeflow init`: a project of one's own."""

import re
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple, TypeVar, get_args

import typer

from edgeflow.cli.place import require_model_file
from edgeflow.console import say

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgeflow.project.draft import Draft

    Drafted = tuple[Draft, list[str]]

Template = Literal["image", "audio", "signal", "model-file"]
TEMPLATES: tuple[Template, ...] = get_args(Template)
_ACCOUNT = re.compile(r"(?:(?P<user>[a-z_][a-z0-9_.-]*)@)?(?P<host>[A-Za-z0-9][A-Za-z0-9_.:%-]*)")

_OF_FILES = (".onnx", ".tflite", ".keras", ".h5", ".npz")
"""Suffixes that no host has: the answer was for another question."""
Answer = TypeVar("Answer")


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
        typer.Option(
            help="Your model: .onnx, .tflite, .keras, .h5, or a SavedModel's folder.",
            callback=require_model_file,
        ),
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
    wanted, made = Wanted(template, data, model, device), None
    if wanted == Wanted() and sys.stdin.isatty() and sys.stdout.isatty():
        wanted, made = _asked(folder)
    draft, told = made or _draft(folder, wanted)
    for line in told:
        say(line)
    written = create(folder, _on_board(draft, wanted.device))
    print(f"{folder}: {', '.join(sorted(written))}")
    for line in _next(folder, wanted):
        print(line)


def _asked(folder: Path) -> "tuple[Wanted, Drafted | None]":
    """Return what the user answers, and the draft for it; None where that is an example."""
    from edgeflow.project.own import draft_from

    def of_data(answer: str) -> "tuple[Path | None, Drafted | None]":
        data = Path(answer) if answer else None
        return data, draft_from(folder, data, None) if data else None

    def of_model(answer: str) -> "tuple[Path | None, Drafted | None]":
        model = Path(answer) if answer else None
        return model, draft_from(folder, data, model) if model else made

    data, made = _ask("Your data, a folder or .npz file (empty: an example)", of_data)
    text = "Your model file (empty: train one)" if data else "Your model file (empty: none)"
    model, made = _ask(text, of_model)
    template = None if made else _chosen_template()
    device = _ask("A board of yours, USER@HOST (empty: virtual devices alone)", _board)
    return Wanted(template, data, model, device), made


def _ask(text: str, made: "Callable[[str], Answer]") -> "Answer":
    """Return what is made of an answer, and ask again until something is."""
    from edgeflow.errors import EdgeflowError

    while True:
        answer = str(typer.prompt(text, default="", show_default=False)).strip()
        try:
            return made(answer)
        except EdgeflowError as error:
            say(f"error: {error}")
        except typer.BadParameter as error:
            say(f"error: {error.message}")


def _chosen_template() -> Template:
    while True:
        answer = typer.prompt(f"Example: {', '.join(TEMPLATES)}", default=TEMPLATES[0])
        for template in TEMPLATES:
            if answer == template:
                return template


def _draft(folder: Path, wanted: Wanted) -> "Drafted":
    from edgeflow.project.kinds import draft_of
    from edgeflow.project.own import draft_from

    if wanted.data is None and wanted.model is None:
        return draft_of(wanted.template or "image"), []
    if wanted.template is not None:
        raise typer.BadParameter("an example, or your own --data and --model", param_hint="-t")
    return draft_from(folder, wanted.data, wanted.model)


def _on_board(draft: "Draft", device: str) -> "Draft":
    """Return a draft whose comment tells of a board."""
    found = _ACCOUNT.fullmatch(_board(device))
    if found is None:
        return draft
    return replace(draft, host=found["host"], user=found["user"] or draft.user)


def _board(device: str) -> str:
    """Return the address of a board, or an empty one, if it is one and no file."""
    is_file = Path(device).suffix.lower() in _OF_FILES
    if device and (is_file or _ACCOUNT.fullmatch(device) is None):
        raise typer.BadParameter(f"{device!r} is not [USER@]HOST", param_hint="--device")
    return device


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
