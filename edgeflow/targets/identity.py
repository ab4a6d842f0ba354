"""What a toolchain is: the digest of its lock, or what its programs say of their versions.

The identity is part of a compilation's key, so that a new version compiles anew what was compiled
with it. Where the toolchain is, as the address of a compile host, is not.
"""

import json
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

from edgeflow.artifact.atomic import write_json
from edgeflow.artifact.hashing import canonical_json, sha256_json
from edgeflow.console import say
from edgeflow.errors import EdgeflowError, MissingToolError
from edgeflow.remote.inventory import compile_endpoint
from edgeflow.remote.session import Completed, Session
from edgeflow.text import clean, excerpt
from edgeflow.toolchain.base import Host, Identity, Program, Toolchain
from edgeflow.toolchain.environment import locked

KNOWN = Path(".edgeflow/toolchains")
"""Folder of identities as they were last seen, in a project."""
ANSWER_S = 60.0
"""Longest time that a program may take to say its version."""
_MAX_CHARACTERS = 2000


def identify(toolchain: Toolchain, host: Host) -> Identity:
    """Return what a toolchain is now.

    Raises:
        MissingToolError: a lock or program is missing, or does not say its version.
        UnreachableError: the compile host does not answer.
        DeployError: it refuses the login.
    """
    own = {**locked(toolchain.host_environment), **locked(toolchain.environment)}
    if host is None:
        return {**own, **programs_say(toolchain, _run_here, "this machine")}
    if not toolchain.programs:
        return own
    endpoint = compile_endpoint(host)
    with Session(endpoint) as session:
        return {**own, **programs_say(toolchain, asked_over(session), endpoint.title)}


def asked_over(session: Session) -> Callable[[list[str]], Completed]:
    """Return what runs a program on a host for as long as it may take to say its version."""
    return lambda argv: session.run(argv, ANSWER_S)


def planned(toolchain: Toolchain, host: Host, known: Path = KNOWN) -> Identity:
    """Return what a toolchain is, or was when it last answered; empty if it never did.

    It is asked once per process. What is built already stays so while a compile host is off, and
    other targets are built; only a compilation itself fails then, with the reason.

    Args:
        toolchain: of a target.
        host: where it is.
        known: folder of identities as they were last seen.
    """
    return dict(_planned(toolchain, canonical_json(host), known.absolute()))


@cache
def _planned(toolchain: Toolchain, host: str, known: Path) -> Identity:
    where = json.loads(host)
    name = where["name"] if where else ""
    asked = [[program.name, *program.version] for program in toolchain.programs]
    path = known / f"{sha256_json([name, asked])[:16]}.json"
    try:
        found = identify(toolchain, where)
    except EdgeflowError as error:
        last = _read(path)
        then = "what it was when it last answered counts" if last else "it never answered before"
        say(f"warning: {excerpt(error.message)}; {then}")
        return last
    if toolchain.programs and found != _read(path):
        known.mkdir(parents=True, exist_ok=True)
        write_json(path, found)
    return found


def _read(path: Path) -> Identity:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return {str(key): str(text) for key, text in found.items()} if isinstance(found, dict) else {}


def programs_say(
    toolchain: Toolchain, run: Callable[[list[str]], Completed], place: str
) -> Identity:
    """Return what a toolchain's programs say of their versions.

    Args:
        toolchain: names them.
        run: runs a program in that place, with exit code 127 where it is missing.
        place: what messages call it.

    Raises:
        MissingToolError: one is missing, or fails.
    """
    asked = {each: run([each.name, *each.version]) for each in toolchain.programs}
    return {each.name: _version(each, done, place) for each, done in asked.items()}


def _version(program: Program, done: Completed, place: str) -> str:
    said = clean(done.stdout + done.stderr).strip()[:_MAX_CHARACTERS]
    if done.exit_code == 127:
        raise MissingToolError(f"{place} has no program {program.name}", hint=program.install)
    if program.machine and done.exit_code != 0:
        raise MissingToolError(f"{place} is not {program.machine}", hint=program.install)
    if done.exit_code != 0 or not said:
        command = " ".join((program.name, *program.version))
        raise MissingToolError(
            f"`{command}` on {place} does not say its version (exit code {done.exit_code}): "
            f"{excerpt(said) or 'it prints nothing'}",
            hint=program.install,
        )
    return said


def _run_here(argv: list[str]) -> Completed:
    if shutil.which(argv[0]) is None:
        return Completed(stdout="", stderr="", exit_code=127)
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=ANSWER_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Completed(stdout="", stderr=f"no end within {ANSWER_S:g} s", exit_code=-9)
    except OSError as error:  # no program of this system, or its interpreter is missing
        return Completed(stdout="", stderr=str(error), exit_code=126)
    return Completed(stdout=done.stdout, stderr=done.stderr, exit_code=done.returncode)
