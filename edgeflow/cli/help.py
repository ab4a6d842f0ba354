"""`edgeflow help TOPIC`: a class of failure, or a command."""

import re
from typing import Annotated

import typer

from edgeflow import errors
from edgeflow.errors import EdgeflowError
from edgeflow.paths import workflow_folder

KINDS: list[type[EdgeflowError]] = [EdgeflowError, *errors.leaves()]
CLASSES = {kind.anchor: kind for kind in KINDS}


def _topics(incomplete: str) -> list[str]:
    return [name for name in CLASSES if name.startswith(incomplete)]


def help_(
    context: typer.Context,
    topic: Annotated[
        str,
        typer.Argument(
            metavar="[ERROR|EXIT CODE|COMMAND]",
            help="What a message ends with; by default all errors.",
            autocompletion=_topics,
        ),
    ] = "",
) -> None:
    """Explain a failure: what it means, usual causes, what to run next."""
    anchors = {str(kind.exit_code): anchor for anchor, kind in CLASSES.items()}
    anchor = anchors.get(topic, topic)
    root = context.find_root()
    if not topic:
        print(page())
    elif anchor in CLASSES:
        print(entry(anchor))
    elif (command := root.command.get_command(root, topic)) is not None:  # type: ignore[attr-defined]
        with typer.Context(command, parent=root, info_name=topic) as its:
            print(command.get_help(its))
    else:
        raise typer.BadParameter(f"neither an error nor a command; errors: {', '.join(CLASSES)}")


def page() -> str:
    """Return the page about errors."""
    return (workflow_folder() / "docs" / "errors.md").read_text(encoding="utf-8").rstrip()


def entry(anchor: str) -> str:
    """Return what the page says of one class of failure."""
    for part in re.split(r"^(?=## )", page(), flags=re.MULTILINE)[1:]:
        title = part.partition("\n")[0].removeprefix("## ")
        if title.lower().replace(" ", "-") == anchor:
            return part.rstrip()
    raise KeyError(anchor)
