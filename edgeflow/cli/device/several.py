"""Several devices at a time: each answers for itself, and one that fails stops no other."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer

from edgeflow.cli.project import print_json
from edgeflow.console import say
from edgeflow.errors import EdgeflowError, shown

if TYPE_CHECKING:
    from edgeflow.deploy.release import OpenDevice

T = TypeVar("T")
CONNECTIONS = 16
Failures = dict[str, EdgeflowError]
Connections = Annotated[int, typer.Option(min=1, help="Devices that are asked at a time.")]


@contextmanager
def opened(name: str, section: Any) -> Iterator["OpenDevice"]:
    """Open a device by its name and its section of the configuration."""
    from edgeflow.deploy.release import connect
    from edgeflow.remote.inventory import endpoint

    with connect(endpoint(name, section)) as device:
        yield device


@contextmanager
def opened_alone(name: str, section: Any) -> Iterator["OpenDevice"]:
    """Open a device for a change; one session of this project at a time does so."""
    from edgeflow.deploy.release import held

    with held(name, section.run_timeout_s), opened(name, section) as device:
        yield device


def ask_all(
    names: Iterable[str], ask: Callable[[str], T], connections: int
) -> tuple[dict[str, T], Failures]:
    """Ask devices, so many at a time; return the answers by name, and why the others gave none."""
    from concurrent.futures import ThreadPoolExecutor

    found: dict[str, T] = {}
    failed: Failures = {}
    with ThreadPoolExecutor(connections) as pool:
        asked = {name: pool.submit(ask, name) for name in names}
        for name, answer in asked.items():
            try:
                found[name] = answer.result()
            except EdgeflowError as error:
                failed[name] = error
    return found, failed


def with_errors(found: Mapping[str, Any], failed: Failures) -> dict[str, Any]:
    """Return answers for programs, with the failures among them."""
    errors = {
        name: {"error": str(error), "exit_code": error.exit_code} for name, error in failed.items()
    }
    return {**found, **errors}


def answer_for_all(
    names: Iterable[str],
    ask: Callable[[str], T],
    show: Callable[[dict[str, T]], None],
    *,
    connections: int,
    as_json: bool,
    code: Callable[[T], int] = lambda _: 0,
) -> NoReturn:
    """Ask devices, print what they say, and end the command with the code of the first failure.

    That is of a device that gave no answer, or else of one whose answer tells of a failure.

    Args:
        names: of the devices.
        ask: returns what one of them says.
        show: prints the answers, by name, for people.
        connections: most devices that are asked at a time.
        as_json: print the answers for programs.
        code: exit code of an answer that tells of a failure; 0 of others.
    """
    found, failed = ask_all(names, ask, connections)
    if as_json:
        print_json(with_errors(found, failed))
    else:
        show(found)
    end(failed, quiet=as_json, codes=map(code, found.values()))


def end(failed: Failures, *, quiet: bool, codes: Iterable[int] = ()) -> NoReturn:
    """End a command with the code of the first failure; say of each device why, unless `quiet`.

    Args:
        codes: those of the devices that gave an answer; they come after those that gave none.
    """
    for name, error in () if quiet else failed.items():
        say(_named(shown(error), name))
    told = [*(error.exit_code for error in failed.values()), *codes]
    raise typer.Exit(next(filter(None, told), 0))


def _named(text: str, device: str) -> str:
    """Return a failure's text with the device in front, unless it begins with that anyway."""
    begins = text.startswith(f"error: device {device}")
    return text if begins else text.replace("error: ", f"error: device {device}: ", 1)
