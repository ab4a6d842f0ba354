"""Devices of a fleet over SSH: the same way to a release as the devices on the bench go."""

import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from edgeflow.config.device import SshDevice, VirtualDevice
from edgeflow.deploy.agent import Refusal
from edgeflow.deploy.agent_answer import Status
from edgeflow.deploy.deploy import bring
from edgeflow.deploy.release import connect, held
from edgeflow.deploy.service import Health, health, keep_serving
from edgeflow.errors import DeployError, EdgeflowError, MissingToolError, UnreachableError
from edgeflow.fleet.outcome import Outcome, Result
from edgeflow.fleet.unit import Report, Seen
from edgeflow.remote.inventory import endpoint

_LOOK_S = 2.0
"""Between two looks at a device that stopped answering on the way."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """A model that some devices of a rollout get.

    Attributes:
        bundle: its bundle.tar; the packed form is looked for beside it.
        sha256: digest of that.
    """

    name: str
    bundle: Path
    sha256: str


@dataclass(frozen=True, slots=True)
class SshUnit:
    """A device that is reached over SSH; each call is a connection of its own.

    Attributes:
        allow_downgrade: whether it may go back to a bundle with a lower counter.
    """

    name: str
    device: SshDevice | VirtualDevice
    model: Model
    allow_downgrade: bool = field(default=False, kw_only=True)

    @property
    def address(self) -> str:
        """Account, host and port, and the key that the host has."""
        if isinstance(self.device, VirtualDevice):
            return "virtual"
        return f"{self.device.user}@{self.device.host}:{self.device.port} {self.device.host_key}"

    @property
    def sha256(self) -> str:
        """Digest of the bundle that it is to serve."""
        return self.model.sha256

    def look(self) -> Seen:
        """Ask the agent what the device serves, and the service, if there is to be one, how it is.

        The agent is sent first, if this version of it is not there yet.

        Raises:
            UnreachableError: the device does not answer.
            DeployError: it refuses the login, or answers something else.
        """
        with connect(endpoint(self.name, self.device)) as device:
            now = seen(device.status(self.model.name))
            if self.device.service is None or not now.serves(self.sha256):
                return now
            return replace(now, fault=_fault(health(device, self.model.name), self.sha256))

    def go_back(self, reason: str) -> bool:
        """Reject the bundle on the device, if it serves that; return whether it did.

        Raises:
            UnreachableError: the device does not answer.
            DeployError: it has no release to go back to, or refuses.
        """
        with (
            held(self.name, self.device.run_timeout_s),
            connect(endpoint(self.name, self.device)) as device,
        ):
            status = device.status(self.model.name)
            if status.current != self.sha256:
                return False
            if status.previous is None:
                raise DeployError(
                    f"device {self.name} has no release of {self.model.name} to go back to",
                    hint="roll out another one",
                )
            device.reject(self.model.name, self.sha256, reason)
            return True

    def deploy(self, report: Report) -> Outcome:
        """Install, try, switch and confirm; if an answer is missing, ask how it ended."""
        way = _Way(self, report)
        try:
            with held(self.name, self.device.run_timeout_s):
                return way.go()
        except (UnreachableError, DeployError, MissingToolError) as error:
            if way.confirmed:
                return self._unserved(error, way)
            if way.switching and not _before_switch(error):
                return self._ended(error, way.sent_bytes)
            # Before the switch a device serves what it served, whatever has happened.
            silent = isinstance(error, UnreachableError)
            return _failed("unreachable" if silent else "rejected", error, way.sent_bytes)

    def _unserved(self, error: EdgeflowError, way: "_Way") -> Outcome:
        """Take a release back whose service does not come up, if it is this rollout's to take."""
        if not way.switching:
            return _failed("unknown", error, way.sent_bytes)
        try:
            with connect(endpoint(self.name, self.device)) as device:
                device.reject(self.model.name, self.sha256, error.message)
        except EdgeflowError:
            return _failed("unknown", error, way.sent_bytes)
        return _failed("rolled_back", error, way.sent_bytes)

    def _ended(self, error: EdgeflowError, sent_bytes: int) -> Outcome:
        """Return how a switch has ended, by what the device says: an error says only that it did.

        A release that nobody confirms is taken back by the device itself, so that is waited for.
        """
        deadline = time.monotonic() + self.device.confirm_s + _LOOK_S
        while True:
            try:
                now = self.look()
            except EdgeflowError:
                now = Seen(current=None, confirmed=False)
            if now.serves(self.sha256):
                return Outcome(result="confirmed", sent_bytes=sent_bytes)
            if now.confirmed and now.current != self.sha256:
                return _failed("rolled_back", error, sent_bytes)
            if time.monotonic() >= deadline:
                return _failed("unknown", error, sent_bytes)
            time.sleep(_LOOK_S)


@dataclass
class _Way:
    """The way of one device to a release, and how far it has come.

    Attributes:
        switching: whether the device may have switched to the release.
        confirmed: whether it has, for good; what follows is its service.
    """

    unit: SshUnit
    report: Report
    sent_bytes: int = 0
    switching: bool = False
    confirmed: bool = False

    def go(self) -> Outcome:
        model, device = self.unit.model, self.unit.device
        with connect(endpoint(self.unit.name, device)) as opened:
            if not seen(opened.status(model.name)).serves(model.sha256):
                self.report("installing")
                self.sent_bytes = bring(opened, model.name, model.bundle)["sent_bytes"]
                self.report("switching")
                self.switching = True
                allowed = self.unit.allow_downgrade
                opened.activate(model.name, model.sha256, allow_downgrade=allowed)
            self.confirmed = True
            if device.service is not None:
                self.report("serving")
                keep_serving(opened, model.name, device.service.model_dump(mode="json"))
        return Outcome(result="confirmed", sent_bytes=self.sent_bytes)


def _before_switch(error: EdgeflowError) -> bool:
    """Tell whether the agent refused before it changed anything."""
    return isinstance(error, Refusal) and error.kind in ("rejected", "corrupt", "newer")


def _fault(service: Health, sha256: str) -> str:
    """Return what is wrong with the service of a device that has a release in use."""
    if not service.running:
        return f"its service does not run: {service.detail}"
    if service.fault:
        return f"its service: {service.fault}"
    return "" if service.release == sha256 else "its service answers with another release"


def _failed(result: Result, error: EdgeflowError, sent_bytes: int) -> Outcome:
    return Outcome(result=result, detail=error.message, hint=error.hint, sent_bytes=sent_bytes)


def seen(status: Status) -> Seen:
    """Return what an agent's status says to a rollout."""
    settled = status.pending is None and status.state in (None, "confirmed")
    return Seen(current=status.current, confirmed=settled, fault=status.fault or "")
