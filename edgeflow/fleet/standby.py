"""Standbys: a station's model that also lies on its neighbour, ready to serve there."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from edgeflow.config.device import SshDevice, VirtualDevice
from edgeflow.deploy.agent_answer import Status
from edgeflow.deploy.deploy import bring
from edgeflow.deploy.release import OpenDevice, connect, held
from edgeflow.deploy.service import keep_serving, stop
from edgeflow.errors import DeployError, EdgeflowError
from edgeflow.fleet.over_ssh import Model
from edgeflow.fleet.pool import for_each
from edgeflow.fleet.unit import Unit
from edgeflow.remote.inventory import endpoint

State = Literal["ready", "serving", "missing", "shared"]
"""``ready``: the model lies there, tried, and does not serve. ``serving``: it serves in the place
of the station, in this release or an earlier one. ``missing``: it is not there. ``shared``: the
neighbour serves that model anyway."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Standby:
    """A station, and the neighbour on which its model lies too.

    Attributes:
        station: the device that serves the model while it is well.
        model: what the station serves.
        neighbour: name of the device that stands by.
        device: how that is reached.
        shared: whether the neighbour serves the same model for itself.
    """

    station: Unit
    model: Model
    neighbour: str
    device: SshDevice | VirtualDevice
    shared: bool

    def state(self) -> State:
        """Ask the neighbour whether the model is there, and serves.

        Raises:
            EdgeflowError: it does not say.
        """
        if self.shared:
            return "shared"
        with self._open() as device:
            return _state(device.status(self.model.name), self.model.sha256)

    def stage(self) -> State:
        """Bring the model to the neighbour and try its golden vectors there; it does not serve.

        Raises:
            EdgeflowError: the neighbour does not take it.
        """
        if self.shared:
            return "shared"
        with self._open() as device:
            bring(device, self.model.name, self.model.bundle)
            return _state(device.status(self.model.name), self.model.sha256)

    def take_over(self) -> bool:
        """Let the model serve on the neighbour; return whether it did not, in this release.

        Raises:
            EdgeflowError: the neighbour does not take it, or goes back.
        """
        if self.shared:
            return False
        with self._open() as device:
            changed = False
            if device.status(self.model.name).current != self.model.sha256:
                bring(device, self.model.name, self.model.bundle)
                changed = device.activate(self.model.name, self.model.sha256)
            if self.device.service is not None:
                options = self.device.service.model_dump(mode="json")
                # The port, if any, is taken: by the service of the neighbour's own model.
                keep_serving(device, self.model.name, {**options, "http_port": None})
            return changed

    def give_back(self) -> bool:
        """Let the model serve on the neighbour no more; return whether it did.

        It stays there, ready. So does the neighbour's own model.

        Raises:
            EdgeflowError: the neighbour does not do so.
        """
        if self.shared:
            return False
        with self._open() as device:
            current = device.status(self.model.name).current
            if current is not None and self.device.service is not None:
                stop(device, self.model.name)
            reason = f"{self.station.name} serves again"
            return current is not None and device.retire(self.model.name, current, reason)

    @contextmanager
    def _open(self) -> Iterator[OpenDevice]:
        with (
            held(self.neighbour, self.device.run_timeout_s),
            connect(endpoint(self.neighbour, self.device)) as device,
        ):
            yield device


def require_down(standby: Standby) -> None:
    """Refuse to let a neighbour serve for a station that serves.

    Raises:
        DeployError: the station answers, and serves its model.
    """
    try:
        seen = standby.station.look()
    except EdgeflowError:
        return
    if seen.serves(standby.model.sha256):
        raise DeployError(
            f"{standby.station.name} answers and serves {standby.model.name}",
            hint="where it does not work all the same: --force",
        )


def require_up(standby: Standby) -> None:
    """Refuse to take a model from a neighbour while the station does not serve it.

    Raises:
        EdgeflowError: the station does not answer, or serves another release or none.
    """
    seen = standby.station.look()
    if not seen.serves(standby.model.sha256):
        raise DeployError(
            f"{standby.station.name} answers, but does not serve {standby.model.name}",
            hint="roll out to it first, or take it back all the same: --force",
        )


def stage_all(
    standbys: Sequence[Standby], connections: int, may_proceed: Callable[[], bool]
) -> dict[str, str]:
    """Bring models to neighbours; return of each station its state there, or why it has none."""
    found: dict[str, str] = {}

    def stage(standby: Standby) -> None:
        try:
            found[standby.station.name] = standby.stage()
        except EdgeflowError as error:
            found[standby.station.name] = error.message

    for_each(standbys, stage, connections, may_proceed)
    return found


def _state(status: Status, sha256: str) -> State:
    if status.current is not None:  # be it an earlier release, which served when a new one came
        return "serving"
    there = sha256 in status.releases and sha256 not in status.rejected
    return "ready" if there else "missing"
