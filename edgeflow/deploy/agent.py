"""Speaks with the agent on a device; puts it there first if need be."""

import posixpath
import re
import secrets
import tempfile
import threading
from pathlib import Path
from typing import NoReturn

from edgeflow.artifact.atomic import write_text
from edgeflow.artifact.hashing import sha256_file
from edgeflow.deploy.agent_answer import No
from edgeflow.deploy.agent_program import agent_program
from edgeflow.errors import DeployError
from edgeflow.remote.answer import A, parse
from edgeflow.remote.diagnose import unwritable
from edgeflow.remote.session import INTERPRETER, Session
from edgeflow.text import tail

UPLOADER = Path(".edgeflow/uploader")
_NAMING = threading.Lock()
QUICK_S = 60.0
"""Enough for anything that reads no large file, on a slow device too."""


class Refusal(DeployError):
    """The agent's own no; `kind` is one of `edgeflow.deploy.agent_answer.Kind`."""

    def __init__(self, message: str, *, kind: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.kind = kind


class Agent:
    """The agent on the other end of a session.

    Attributes:
        home: folder where programs start, absolute.
        python: the device's interpreter, absolute.
        sha256: digest of the agent's file, which is part of its name.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._name = session.endpoint.name
        with tempfile.TemporaryDirectory() as scratch:
            program = Path(scratch) / "agent.pyz"
            program.write_bytes(agent_program())
            self.sha256 = sha256_file(program)
            path = posixpath.join(session.endpoint.path, "bin", f"agent-{self.sha256}.pyz")
            session.put(program, path, f"{path}.{uploader()}.part")  # nothing, if it is there
        self.home = session.home
        self._path = posixpath.join(self.home, path)
        self.python = session.python

    def call(self, kind: type[A], verb: str, *arguments: str, timeout_s: float = QUICK_S) -> A:
        """Run a verb and return its answer, which must be of a kind.

        Raises:
            Refusal: the agent says no.
            MalformedError: the answer is not of that kind.
            DeployError: there is no answer; what happened on the device is unknown.
        """
        # -I: neither the account's own packages nor PYTHON* variables play a part.
        done = self._session.run(
            [INTERPRETER, "-I", self._path, verb, *arguments], timeout_s=timeout_s
        )
        line = done.stdout.strip().rpartition("\n")[2]
        if not line.startswith("{"):
            raise DeployError(
                f"the agent on device {self._name} gave no answer to {verb} (exit code "
                f"{done.exit_code}): {tail(done.stderr)}",
                hint="run the same command again: it reads the device's state first",
            )
        no = parse(No, line, device=f"device {self._name}", program="the agent")
        if no.error is not None:
            self._refuse(verb, no.error, no.detail)
        return parse(kind, line, device=f"device {self._name}", program="the agent")

    def _refuse(self, verb: str, kind: str, detail: str) -> NoReturn:
        endpoint = self._session.endpoint
        look = f"look at the device: {endpoint.shell_command('df -h')}"
        hints = {
            "locked": "another deployment is at work on the device; wait for it, then run again",
            "no space": f"make room: {endpoint.shell_command('df -h')}",
            "corrupt": "run the same command again; if it stays, delete the bundle and rebuild it",
            "newer": "another edgeflow, which is newer, manages this device: use that one",
            "rolled back": "the device serves what it served; run the same command again",
            "unable to roll back": "the device serves nothing now: deploy a release that works",
            "unhealthy": "the device serves what it served; see whether something else uses its "
            f"hardware or memory: {endpoint.shell_command('uptime')}",
        }
        raise Refusal(
            f"device {self._name} refuses to {verb}: {kind}: {detail}",
            kind=kind,
            hint=hints.get(kind) or unwritable(endpoint, detail) or look,
        )


def uploader() -> str:
    """Return what tells this project's uploads from those of others on a device."""
    with _NAMING:  # several devices at a time, one name
        known = UPLOADER.read_text(errors="replace") if UPLOADER.is_file() else ""
        if not re.fullmatch("[0-9a-f]{16}", known):
            write_text(UPLOADER, known := secrets.token_hex(8))
        return known


def outputs_stem() -> str:
    """Return how the files of this project's outputs on a device begin; others have their own."""
    return f"outputs.{uploader()}"
