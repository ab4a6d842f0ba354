"""Whether a project is as it was when Snakemake last found nothing left to do."""

import os
import sys
from collections.abc import Mapping, Sequence

from edgeflow.stamp.look import Root, look, text

FILE = ".edgeflow/stamp"
"""Where a project's stamp lies: facts of the process, the roots, what they look like, the last
table. Only what is equal to the byte counts, so a damaged stamp says nothing."""
SEPARATOR = "\0\n"

_OF_A_TERMINAL = frozenset(
    {
        *("_", "SHLVL", "PWD", "OLDPWD", "TERM", "COLORTERM", "COLUMNS", "LINES", "NO_COLOR"),
        *("FORCE_COLOR", "TF_CPP_MIN_LOG_LEVEL", "WINDOWID", "PS1", "PS2", "PROMPT", "LS_COLORS"),
        *("DBUS_SESSION_BUS_ADDRESS", "XDG_SESSION_ID", "VTE_VERSION", "STY", "PAGER", "EDITOR"),
    }
)
_OF_PROGRAMS = ("SSH_", "TERM_", "TMUX", "ITERM", "KITTY_", "WEZTERM_", "KONSOLE_", "VSCODE_")
"""Variables that another terminal sets otherwise, and no build reads. All others count."""


def answer(arguments: Sequence[str]) -> str | None:
    """Return what `edgeflow run` says where nothing changed; None where Snakemake must look.

    Args:
        arguments: of `edgeflow run`.
    """
    if not is_plain(arguments):
        return None
    try:
        with open(FILE, encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH123  # no pathlib
            stamped, roots, seen, said = file.read().split(SEPARATOR)
        now = facts(os.environ)
        same = stamped == now and seen == shown(parsed(roots))
    except (OSError, ValueError):
        return None
    return said if same else None


def is_plain(arguments: Sequence[str]) -> bool:
    """Return whether a run is of all that the configuration asks for, with no other settings.

    How many cores it may take changes nothing of what it finds to do.
    """
    rest = list(arguments[1:] if arguments[:1] == ["--"] else arguments)
    while rest:
        name, equals, value = rest.pop(0).partition("=")
        if name[:2] in ("-c", "-j") and name[2:].isdigit():
            continue
        if name not in ("--cores", "--jobs", "-c", "-j"):
            return False
        value = value if equals else rest.pop(0) if rest else ""
        if not (value.isdigit() or value == "all"):
            return False
    return True


def facts(environment: Mapping[str, str]) -> str:
    """Return what is the same in all processes that would plan the same build.

    Variables may hold secrets: only their digest is kept.
    """
    from hashlib import sha256

    counted = sorted(
        f"{name}={value}"
        for name, value in environment.items()
        if name not in _OF_A_TERMINAL and not name.startswith(_OF_PROGRAMS)
    )
    digest = sha256("\0".join(counted).encode(errors="surrogateescape")).hexdigest()
    here = (os.getcwd(), sys.executable, sys.version, os.geteuid(), __file__)  # noqa: PTH109
    return f"{here!r} {digest}"


def shown(roots: Sequence[Root]) -> str:
    """Return what the roots look like now."""
    return "\n".join(text(root[0], look(root)) for root in roots)


def parsed(lines: str) -> list[Root]:
    """Return roots as a stamp has them, a line each.

    Raises:
        ValueError: they are none.
    """
    return [(kind, path) for kind, path in (line.split(" ", 1) for line in lines.split("\n"))]
