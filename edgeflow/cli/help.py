"""`edgeflow help TOPIC`: a class of failure, a command, or a page of the documentation."""

import re
from pathlib import Path
from typing import Annotated

import typer

from edgeflow import errors
from edgeflow.config.finding import closest
from edgeflow.errors import EdgeflowError
from edgeflow.paths import workflow_folder

KINDS: list[type[EdgeflowError]] = [EdgeflowError, *errors.leaves()]
CLASSES = {kind.anchor: kind for kind in KINDS}


def _topics(incomplete: str) -> list[str]:
    return [name for name in (*CLASSES, *pages()) if name.startswith(incomplete)]


def help_(
    context: typer.Context,
    topic: Annotated[
        str,
        typer.Argument(
            metavar="[ERROR|EXIT CODE|COMMAND|PAGE.md]",
            help="What a message ends with, or a page; by default all errors and names of pages.",
            autocompletion=_topics,
        ),
    ] = "",
) -> None:
    """Explain a failure: what it means, usual causes, what to run next; or print a page."""
    anchors = {str(kind.exit_code): anchor for anchor, kind in CLASSES.items()}
    anchor = anchors.get(topic, topic)
    root = context.find_root()
    name = Path(topic.partition("#")[0]).name  # as links have it
    if not topic:
        print(page("errors.md"))
        print(f"\nPages: {', '.join(pages())}")
    elif name in pages():
        print(page(name))
    elif anchor in CLASSES:
        print(entry(anchor))
    elif (command := root.command.get_command(root, topic)) is not None:  # type: ignore[attr-defined]
        with typer.Context(command, parent=root, info_name=topic) as its:
            print(command.get_help(its))
    else:
        commands = root.command.list_commands(root)  # type: ignore[attr-defined]
        meant = closest(topic, [*CLASSES, *commands, *pages()])
        known = f"errors: {', '.join(CLASSES)}; pages: {', '.join(pages())}"
        said = f"did you mean {meant!r}?" if meant else known
        raise typer.BadParameter(f"no error, command or page {topic!r}; {said}")


def pages() -> dict[str, Path]:
    """Return the pages of the documentation, in folders or not, by name."""
    found = (workflow_folder() / "docs").rglob("*.md")
    return {path.name: path for path in sorted(found, key=lambda path: path.name)}


def page(name: str) -> str:
    """Return a page of the documentation."""
    return pages()[name].read_text(encoding="utf-8").rstrip()


def entry(anchor: str) -> str:
    """Return what the page says of one class of failure."""
    for part in re.split(r"^(?=## )", page("errors.md"), flags=re.MULTILINE)[1:]:
        title = part.partition("\n")[0].removeprefix("## ")
        if title.lower().replace(" ", "-") == anchor:
            return part.rstrip()
    raise KeyError(anchor)
