"""Starts Snakemake; with the rules, the only place that knows it."""

import fcntl
import gc
import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from edgeflow.artifact.events import EVENTS
from edgeflow.cli.display.selection import Selection, environment, options
from edgeflow.errors import EdgeflowError, RolloutError
from edgeflow.paths import workflow_folder
from edgeflow.stamp.keep import attempt

_SNAKEFILES = [
    Path(folder, name) for folder in ("", "workflow") for name in ("Snakefile", "snakefile")
]
"""Where Snakemake looks for the one of the project."""
_PROFILES = (Path("default"), Path("profiles/default"))
"""Where it looks for the project's settings."""
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
START = "edgeflow.cli.start_snakemake"
SHOW_CURSOR = "\x1b[?25h"
CLAIM = Path(".edgeflow", "run.lock")
_ENDING_S = 15.0
"""How long the steps of a process that was killed may take to end."""
_claims: list[int] = []
"""Descriptors that hold a project's claim until this process ends."""


def claim(folder: Path) -> bool:
    """Claim a project for this process, and forget the lock of a Snakemake that was killed.

    Snakemake's own lock is a file, which outlives it. This claim ends with the process and its
    steps, so a lock found under a fresh claim is nobody's. Steps of a process that was killed are
    just being ended; they are waited for.

    Returns:
        Whether the claim is ours; False means that another run is alive.
    """
    place = folder / CLAIM
    place.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(place, os.O_RDWR | os.O_CREAT, 0o644)
    until = time.monotonic() + _ENDING_S
    while not _is_taken(descriptor):
        if holder(folder) or time.monotonic() > until:
            os.close(descriptor)
            return False
        time.sleep(0.1)
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    _claims.append(descriptor)
    for lock in (folder / ".snakemake" / "locks").glob("*"):
        lock.unlink(missing_ok=True)
    return True


def _is_taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def claims() -> Sequence[int]:
    """Return descriptors that hold this process' claims, also in who inherits them."""
    return tuple(_claims)


def holder(folder: Path) -> int | None:
    """Return the id of the process that claimed a folder last; None if it has ended."""
    try:
        number = int((folder / CLAIM).read_text())
        os.kill(number, 0)
    except (OSError, ValueError):
        return None
    return number


def busy(folder: Path) -> EdgeflowError:
    """Return what to say where another process builds in a folder."""
    number = holder(folder)
    return EdgeflowError(
        "a build runs in this folder" + (f" (process {number})" if number else ""),
        hint="wait for it, or end it",
    )


def run_snakemake(arguments: Sequence[str], selection: Selection) -> int:
    """Run Snakemake in this folder; return 0, or the exit code of the first failed step.

    Snakemake itself always fails with 1. The steps' event log tells the class of the failure. A
    build that a signal ended returns what a shell would, unless a rollout ended in order by it.

    Args:
        arguments: Snakemake's own.
        selection: names by kind; what is built is of one of each.

    Raises:
        ConfigError: this folder holds no project.
    """
    start = EVENTS.stat().st_size if EVENTS.exists() else 0
    chosen = environment(selection)
    goals = ["selection"] if chosen else []
    command = snakemake_command([*goals, *arguments, *_with_display(arguments)])
    with attempt([*goals, *arguments]) as tried:
        returncode, stopped_by = _attended(command, {**tried.environment, **chosen})
        if returncode == 0:
            tried.succeeded()
            return 0
    if number := stopped_by or max(0, -returncode):
        _tell_that_it_stopped(number, selection)
        in_order = RolloutError.exit_code in _exit_codes(start)
        return RolloutError.exit_code if in_order else 128 + number
    return next((code for code in _exit_codes(start) if code), returncode)


def _tell_that_it_stopped(number: int, selection: Selection) -> None:
    """Say on standard error which signal ended a build, where a picture may be left behind."""
    if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        print(SHOW_CURSOR, file=sys.stderr)
    name = signal.Signals(number).name
    rollout = next(iter(selection.get("rollout", ())), None)
    again = f"rollout {rollout} --resume" if rollout else f"run {options(selection)}".rstrip()
    print(f"stopped by {name}; `edgeflow {again}` goes on where this ended", file=sys.stderr)


def _attended(command: Sequence[str], environment: Mapping[str, str]) -> tuple[int, int]:
    """Run Snakemake, which ends its jobs in order when a signal asks it to end.

    Returns:
        Its exit code, and the signal that came; 0 for none.
    """
    came: list[int] = []
    started: list[subprocess.Popen[bytes]] = []

    def pass_on() -> None:
        if set(came) - {signal.SIGINT}:  # a terminal sends Ctrl-C to both of us
            for process in started:
                process.terminate()

    def leave_or_pass_on(number: int, _frame: FrameType | None) -> None:
        came.append(number)
        pass_on()

    # Before the start: a signal may come as soon as there is something to end.
    with _handled(leave_or_pass_on), subprocess.Popen(command, env=environment) as process:
        started.append(process)
        pass_on()
        returncode = process.wait()
    return returncode, came[0] if came else 0


@contextmanager
def _handled(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Let a function handle what asks a program to end, but for what is ignored."""
    before = {number: signal.getsignal(number) for number in _ENDING}
    before = {number: old for number, old in before.items() if old is not signal.SIG_IGN}
    for number in before:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def snakemake_command(arguments: Sequence[str]) -> list[str]:
    """Return the command that builds this folder's project with Snakemake's arguments.

    What the project has is taken from there, and the rest from edgeflow's own workflow: the
    Snakefile, the settings in `profiles/default`, and what `--profile` names.

    Raises:
        ConfigError: this folder holds no project.
    """
    added, workflow = [], workflow_folder()
    if not _has(arguments, "--snakefile", "-s") and not any(map(Path.is_file, _SNAKEFILES)):
        if not _has(arguments, "--configfile", "--configfiles", "--directory", "-d"):
            from edgeflow.config.document import require_project

            require_project(Path("config.yaml"))
        added += ["--snakefile", str(workflow / "Snakefile")]
    if not _has(arguments, "--workflow-profile") and not any(map(Path.exists, _PROFILES)):
        added += ["--workflow-profile", str(workflow / "profiles" / "default")]
    return [sys.executable, "-m", START, *added, *_with_profiles(arguments)]


def _with_display(arguments: Sequence[str]) -> Sequence[str]:
    """Return the options for edgeflow's display, unless another one is wanted."""
    return () if _has(arguments, "--logger") else ("--logger", "edgeflow")


def _has(arguments: Sequence[str], *options: str) -> bool:
    return any(argument.partition("=")[0] in options for argument in arguments)


def _with_profiles(arguments: Sequence[str]) -> Iterator[str]:
    """Yield the arguments; a profile that only edgeflow's workflow has is named by its place."""
    before = ""
    for argument in arguments:
        option, equals, value = argument.rpartition("=")
        if "--profile" in (option, before) and not Path(value).exists():
            ours = workflow_folder() / value
            value = str(ours) if ours.is_dir() else value
        yield f"{option}{equals}{value}"
        before = argument


def collect_less() -> None:
    """Let the garbage collector rest: Snakemake's plan makes many objects and drops few.

    It looked through all of them again and again, for a fifth of the time that a plan takes.
    """
    gc.freeze()
    gc.set_threshold(200_000, 50, 100)


def call_own_command() -> None:
    """Let the steps' command `edgeflow` be the one of this Python, whatever PATH leads to.

    An environment need not be activated, and uv's tools keep their other commands off PATH.
    """
    named = os.environ.get("EDGEFLOW_BIN")
    scripts, user = sysconfig.get_path("scripts"), sysconfig.get_preferred_scheme("user")
    installed = (Path(sys.executable).parent, scripts, sysconfig.get_path("scripts", user))
    commands = [Path(folder, "edgeflow") for folder in ([named] if named else installed)]
    own = next(filter(Path.is_file, commands), None)
    found = shutil.which("edgeflow")
    if own and not (found and own.samefile(found)):
        os.environ["PATH"] = os.pathsep.join(
            [str(own.parent.absolute()), os.environ.get("PATH", os.defpath)]
        )


def _exit_codes(start: int) -> Iterator[int]:
    """Yield the exit codes of the events written after byte `start` of the log."""
    if not EVENTS.exists():
        return
    with EVENTS.open() as file:
        file.seek(start)
        for line in file:
            yield int(json.loads(line)["exit_code"])
