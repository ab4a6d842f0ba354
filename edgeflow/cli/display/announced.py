"""What the rules tell of a build: for its display, if there is one, and for its end.

Both live in the same process as the rules, Snakemake's.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from edgeflow.errors import EdgeflowError, known
from edgeflow.plan import Plan, Unit


class Planned(NamedTuple):
    """A job that will run: its rule, the step that this runs, and its wildcards."""

    rule: str
    step: str
    wildcards: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Build:
    """What a workflow builds.

    Attributes:
        plan: all that the configuration asks for.
        units: the deployments that are built.
        chosen: the options that chose them; empty where all are.
        results: folder of the results.
        carried_to: storage that results are carried to; None if they stay in their folder.
        jobs: returns the jobs of the whole workflow that will run, once Snakemake has planned them.
        left: returns those of them that have not ended well by now.
        renamed: returns the name that who takes the rules as a module has given one of them.
    """

    plan: Plan
    units: Sequence[Unit]
    chosen: str
    results: Path
    carried_to: str | None
    jobs: Callable[[], Iterable[Planned]]
    left: Callable[[], Iterable[Planned]] = tuple
    renamed: Callable[[str], str] = str


_builds: dict[Path, Build] = {}
_refusals: list[EdgeflowError] = []
_displays: list[object] = []


def announce(build: Build) -> None:
    """Say what is built in a folder of results.

    A workflow that takes edgeflow as a module several times announces several builds.
    """
    _builds[build.results] = build


def builds() -> list[Build]:
    """Return what is built; nothing if the rules have not been read."""
    return list(_builds.values())


def refuse(error: Exception) -> str:
    """Keep why there is no build, for the exit code, and return the text of it.

    Raises:
        Exception: the error itself, if it is none that the user can act on.
    """
    failure = known(error)
    if failure is None:
        raise error
    _refusals[:] = [failure]
    return str(failure)


def refusal() -> EdgeflowError | None:
    """Return why there is no build, if so."""
    return _refusals[0] if _refusals else None


def attach(display: object) -> None:
    """Say that a display shows this process' build, with its end."""
    _displays[:] = [display]


def is_displayed() -> bool:
    """Tell whether a display shows the build; else Snakemake's own output does."""
    return bool(_displays)


def step_of(command: str | None, rule: str) -> str:
    """Return the step that a rule's shell command runs; another rule is a step of its own."""
    words = (command or "").split(maxsplit=2)
    return words[1] if len(words) > 1 and words[0] == "edgeflow" else rule
