"""Devices in this process: what a rollout sees of them, without a network."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from edgeflow.errors import EdgeflowError, UnreachableError
from edgeflow.fleet.outcome import Outcome, Result
from edgeflow.fleet.spec import RolloutSpec
from edgeflow.fleet.unit import Report, Seen

OLD, NEW = "0" * 64, "1" * 64


def spec(**changes: object) -> RolloutSpec:
    """Return a rollout of one wave that allows anything, unless `changes` say otherwise."""
    given: dict[str, object] = {
        "name": "r", "model": "net", "bundle_sha256": NEW, "waves": (1.0,), "poll_s": 0.001,
        "max_failed": 1.0, "max_unreachable": 1.0, "connections": 1, **changes,
    }  # fmt: skip
    return RolloutSpec(**given)  # type: ignore[arg-type]


@dataclass
class Simulated:
    """A device that does as it is told.

    Attributes:
        ends: what each attempt comes to; the last one goes on for ever.
        later: what it says once it was deployed to, if not that it serves the bundle.
        sent: how often the bundle was sent.
    """

    name: str
    ends: list[Result] = field(default_factory=lambda: ["confirmed"])
    later: Seen | EdgeflowError | None = None
    address: str = "here"
    sha256: str = NEW
    current: str | None = OLD
    sent: int = 0
    looks: int = 0
    before: Callable[[], object] = lambda: None
    deployed: bool = False

    def look(self) -> Seen:
        """Say what it serves."""
        self.looks += 1
        later = self.later if self.deployed else None
        if isinstance(later, EdgeflowError):
            raise later
        return later or Seen(current=self.current)

    def go_back(self, reason: str) -> bool:
        """Serve what it served before, unless it is silent."""
        if isinstance(self.later, EdgeflowError):
            raise self.later
        went = self.current == self.sha256
        self.current = OLD if went else self.current
        return went

    def deploy(self, report: Report) -> Outcome:
        """Take the bundle, unless it is to fail."""
        self.before()
        result = self.ends.pop(0) if len(self.ends) > 1 else self.ends[0]
        if result == "unreachable":
            raise UnreachableError(f"device {self.name} does not answer", hint="wait")
        if self.current != self.sha256:
            report("sending")
            self.sent += 1
        if result == "confirmed":
            self.current, self.deployed = self.sha256, True
        return Outcome(result=result, detail="" if result == "confirmed" else f"why {result}")


def fleet(count: int, **odd: Simulated) -> list[Simulated]:
    """Return devices d0, d1, ...; `odd` ones take the place of those of their name."""
    names = (f"d{number}" for number in range(count))
    return [odd.get(name) or Simulated(name) for name in names]


class Gauge:
    """Counts how many threads are in a block at a time, and how many there were at most."""

    def __init__(self) -> None:
        self._lock, self._now, self.most = threading.Lock(), 0, 0

    def __enter__(self) -> None:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._now -= 1
