"""What a device has in use: a switch on trial, its confirmation, and the way back."""

import time
from dataclasses import dataclass

from edgeflow.deploy.agent import QUICK_S
from edgeflow.deploy.agent_answer import Confirmed, Retired, RolledBack, Switched
from edgeflow.deploy.device.link import Link
from edgeflow.errors import DeployError, UnreachableError
from edgeflow.remote.session import Session


@dataclass(frozen=True, kw_only=True, slots=True)
class Rejection:
    """What a device serves after a release was rejected.

    Attributes:
        current: digest of the bundle in use, if any.
        rolled_back: whether the rejected release was in use.
    """

    current: str | None
    rolled_back: bool

    def __str__(self) -> str:
        if not self.rolled_back:
            serves = f"still serves release {self.current[:12]}" if self.current else "serves none"
            return f"the release was not in use; the device {serves}"
        if self.current:
            return f"the device went back to release {self.current[:12]}"
        return "the device now serves no release: it has none to go back to"


class Trials(Link):
    """Puts releases in use, and takes them out of it."""

    def activate(
        self,
        model: str,
        sha: str,
        *,
        allow_downgrade: bool = False,
        max_latency_ms: float | None = None,
        max_rss_mb: float | None = None,
    ) -> bool:
        """Make a release that passed its gates current; return whether it was not.

        The device switches to it and tries it; what confirms it is a second connection, which
        shows that the device can still be reached. Without that it goes back by itself.

        Args:
            allow_downgrade: accept a lower counter than one that was confirmed there.
            max_latency_ms: bound on the median inference of its golden vectors.
            max_rss_mb: bound on the resident memory of its runner, in MB of 1e6 bytes.

        Raises:
            Refusal: the device does not take it, or has gone back; `kind` says which.
            DeployError: it is not on the device, or not whole.
            UnreachableError: the connection was lost; the device goes back unless it is confirmed.
        """
        health_s = self.endpoint.run_timeout_s
        options = ["--python", self._agent.python, *self._unit()]
        options += ["--health-s", str(health_s), "--confirm-s", str(self.endpoint.confirm_s)]
        options += ["--allow-downgrade"] if allow_downgrade else []
        options += ["--max-latency-ms", str(max_latency_ms)] if max_latency_ms is not None else []
        options += ["--max-rss-mb", str(max_rss_mb)] if max_rss_mb is not None else []
        limit_s = health_s + QUICK_S
        answer = self._of_release(Switched, "switch", model, sha, *options, timeout_s=limit_s)
        self._expect("switch", answer.current, sha)
        if answer.token is not None:
            self._confirm(model, sha, answer.token)
        return answer.changed

    def _confirm(self, model: str, sha: str, token: str) -> None:
        """Confirm a switch over connections of their own, until its time is over."""
        deadline = time.monotonic() + self.endpoint.confirm_s
        while True:
            try:
                self._confirm_once(model, sha, token)
                return
            except UnreachableError as error:
                if time.monotonic() >= deadline:
                    raise UnreachableError(
                        f"{error.message}; unless the confirmation of release {sha[:12]} arrived, "
                        "the device goes back to the release before by itself",
                        hint=error.hint,
                    ) from error
                time.sleep(1.0)

    def _confirm_once(self, model: str, sha: str, token: str) -> None:
        with Session(self.endpoint) as session:
            current = Trials(session)._of_release(Confirmed, "confirm", model, sha, token).current
        if current != sha:
            raise DeployError(
                f"device {self.endpoint.name} uses {current} instead of {sha}",
                hint="run the same command again",
            )

    def reject(self, model: str, sha: str, reason: str, *, if_current: bool = False) -> Rejection:
        """Take a release out of use if it is current, and never go back to it.

        Args:
            if_current: reject nothing where another one is in use.

        Raises:
            Refusal: another one is; its kind is ``refused``.
        """
        folder, only = self.model_dir(model), ["--if-current"] if if_current else []
        answer = self._call(RolledBack, "rollback", folder, sha, "--reason", reason, *only)
        if answer.current == sha:
            raise DeployError(
                f"device {self.endpoint.name} still uses {sha}, which was rejected: {reason}",
                hint="run the same command again",
            )
        return Rejection(current=answer.current, rolled_back=answer.rolled_back)

    def retire(self, model: str, sha: str, reason: str) -> bool:
        """Take a release out of use and keep it, ready to serve again; return whether it was."""
        folder = self.model_dir(model)
        answer = self._call(Retired, "retire", folder, sha, "--reason", reason)
        if answer.current == sha:
            raise DeployError(
                f"device {self.endpoint.name} still uses {sha}", hint="run the same command again"
            )
        return answer.changed
