"""The way to a device: an open session, its agent, and what they answer."""

import json
import posixpath
import time
from pathlib import Path

from edgeflow.console import say
from edgeflow.deploy.agent import QUICK_S, Agent, Refusal
from edgeflow.deploy.agent_answer import Room, Status
from edgeflow.errors import DeployError
from edgeflow.remote.answer import A, malformed
from edgeflow.remote.session import Session
from edgeflow.text import excerpt


class Link:
    """A device with an open session and its agent in place."""

    def __init__(self, session: Session) -> None:
        self.endpoint = session.endpoint
        self._session = session
        self._agent = Agent(session)

    @property
    def agent_sha256(self) -> str:
        """Digest of the agent that answers."""
        return self._agent.sha256

    def model_dir(self, model: str) -> str:
        """Return a model's folder on the device: absolute, or relative to where programs start."""
        return posixpath.join(self._session.home, self.endpoint.path, model)

    def status(self, model: str, sha: str | None = None) -> Status:
        """Ask the device what it has of a model, and whether a release is there, whole."""
        folder = self.model_dir(model)
        if sha is None:
            return self._agent.call(Status, "status", folder)
        limit_s = max(QUICK_S, self.endpoint.run_timeout_s)
        return self._agent.call(Status, "status", folder, "--release", sha, timeout_s=limit_s)

    def ask(self, kind: type[A], verb: str, model: str, *arguments: str) -> A:
        """Ask the agent something about a model."""
        return self._call(kind, verb, self.model_dir(model), *arguments)

    def _unit(self) -> list[str]:
        return ["--unit", json.dumps(dict(self.endpoint.unit))] if self.endpoint.unit else []

    def _call(self, kind: type[A], verb: str, *arguments: str, timeout_s: float | None = None) -> A:
        """Run a verb; wait while another deployment is at work on the device."""
        limit_s = timeout_s or self.endpoint.run_timeout_s
        deadline, waiting = time.monotonic() + limit_s, False
        while True:
            try:
                return self._agent.call(kind, verb, *arguments, timeout_s=limit_s)
            except Refusal as refusal:
                if refusal.kind != "locked" or time.monotonic() >= deadline:
                    raise
                if not waiting:
                    say(f"{refusal.message}; waiting")
            waiting = True
            time.sleep(min(1.0, limit_s))

    def _expect(self, verb: str, found: str, wanted: str) -> None:
        """Refuse an answer about something else than was asked."""
        if found != wanted:
            reason = f"`{verb}` is about {excerpt(found)} instead of {wanted}"
            raise malformed(self.endpoint.title, "the agent", reason)

    def _of_release(
        self, kind: type[A], verb: str, model: str, sha: str, *more: str, **how: float
    ) -> A:
        try:
            return self._call(kind, verb, self.model_dir(model), sha, *more, **how)
        except Refusal as refusal:
            if refusal.kind != "corrupt":
                raise
            raise Refusal(
                refusal.message,
                kind=refusal.kind,
                hint=f"deploy it again: delete deploy.json of {self.endpoint.name}/{model}, "
                "then run `edgeflow run`",
            ) from refusal

    def _require_room(self, path: Path, have: Room, need_bytes: int, need_inodes: int) -> None:
        """Refuse to send what the device has no room for."""
        short = [
            f"need {need} {what}, have {there}"
            for what, need, there in (
                ("bytes", need_bytes, have.free_bytes),
                ("inodes", need_inodes, have.free_inodes),
            )
            if there is not None and there < need
        ]
        if short:
            look = self.endpoint.shell_command("df -h" if have.free_bytes < need_bytes else "df -i")
            raise DeployError(
                f"no space on device {self.endpoint.name} for {path.name}: {'; '.join(short)}",
                hint=f"make room: {look}",
            )
