"""Speaks with the agent on a device; puts it there first if need be."""

import hashlib
import posixpath
import re
import secrets
import tempfile
import threading
from pathlib import Path
from typing import NoReturn

from edgeflow.artifact.atomic import write_text
from edgeflow.deploy.agent_answer import No
from edgeflow.deploy.agent_program import agent_program
from edgeflow.errors import DeployError
from edgeflow.remote.answer import A, parse
from edgeflow.remote.diagnose import unwritable
from edgeflow.remote.session import INTERPRETER, Completed, Session
from edgeflow.text import tail

UPLOADER = Path(".edgeflow/uploader")
_NAMING = threading.Lock()
QUICK_S = 60.0
"""Enough for anything that reads no large file, on a slow device too."""


_DOWNGRADE = (
    "raise `signing: counter:`; or, if the older bundle is wanted, say `allow_downgrade: true` of "
    "its deployment or rollout"
)


class Refusal(DeployError):
    """The agent's own no; `kind` is one of `edgeflow.deploy.agent_answer.Kind`."""

    def __init__(self, message: str, *, kind: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.kind = kind


class Agent:
    """The agent on the other end of a session.

    Attributes:
        sha256: digest of the agent's file, which is part of its name.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._name = session.endpoint.name
        self._program = agent_program()
        self.sha256 = hashlib.sha256(self._program).hexdigest()
        self._path = posixpath.join(session.endpoint.path, "bin", f"agent-{self.sha256}.pyz")
        self._brought = False

    @property
    def home(self) -> str:
        """Folder where programs start, absolute."""
        if not self._session.home:
            self._session.run(["true"], QUICK_S)  # whatever runs says so
        return self._session.home

    @property
    def python(self) -> str:
        """The device's interpreter, absolute."""
        return self._session.python if self.home else ""

    def bring(self) -> bool:
        """Put the agent on the device; return whether it was not there, whole.

        Raises:
            DeployError: the device does not store it.
            UnreachableError: the connection was lost.
        """
        self._brought = True
        with tempfile.TemporaryDirectory() as scratch:
            program = Path(scratch) / "agent.pyz"
            program.write_bytes(self._program)
            sent = self._session.put(program, self._path, f"{self._path}.{uploader()}.part")
        if self._session.asked:
            self._session.store_program()
        return sent > 0

    def call(self, kind: type[A], verb: str, *arguments: str, timeout_s: float = QUICK_S) -> A:
        """Run a verb and return its answer, which must be of a kind.

        An agent that is not there is brought, and so is one that gives no answer and is not whole.

        Raises:
            Refusal: the agent says no.
            MalformedError: the answer is not of that kind.
            DeployError: there is no answer; what happened on the device is unknown.
        """
        # -I: neither the account's own packages nor PYTHON* variables play a part.
        program = [INTERPRETER, "-I", self._path, verb, *arguments]
        done = self._session.run(program, timeout_s)
        if not _answer(done) and not self._brought and self.bring():
            done = self._session.run(program, timeout_s)
        line = _answer(done)
        if not line:
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
            "rejected": "the device serves what it served; see what it needs and whom it trusts: "
            f"edgeflow device doctor {endpoint.argument}",
            "rolled back": "the device serves what it served; run the same command again",
            "unable to roll back": "the device serves nothing now: deploy a release that works",
            "unhealthy": "the device serves what it served; see whether something else uses its "
            f"hardware or memory: {endpoint.shell_command('uptime')}",
        }
        hint = _DOWNGRADE if "a downgrade" in detail else hints.get(kind)
        raise Refusal(
            f"device {self._name} refuses to {verb}: {kind}: {detail}",
            kind=kind,
            hint=hint or unwritable(endpoint, detail) or look,
        )


def _answer(done: Completed) -> str:
    """Return the last line that was printed, if it can be an answer."""
    line = done.stdout.strip().rpartition("\n")[2]
    return line if line.startswith("{") else ""


def uploader() -> str:
    """Return what tells this project's uploads from those of others on a device.

    A copy of the project is another one: its folder has an inode of its own.
    """
    with _NAMING:  # several devices at a time, one name
        known = UPLOADER.read_text(errors="replace") if UPLOADER.is_file() else ""
        if not re.fullmatch("[0-9a-f]{16}", known):
            write_text(UPLOADER, known := secrets.token_hex(8))
        own = f"{known} {UPLOADER.parent.stat().st_ino}"
        return hashlib.sha256(own.encode()).hexdigest()[:16]


def outputs_stem() -> str:
    """Return how the files of this project's outputs on a device begin; others have their own."""
    return f"outputs.{uploader()}"
