"""A device as a rollout sees it, whatever it is reached by."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from edgeflow.fleet.outcome import Outcome

Report = Callable[[str], None]
"""Called with what a device is about to do, such as ``switching``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What a device says of a model.

    Attributes:
        current: digest of the bundle in use, if any.
        confirmed: whether that is to stay, and not only being tried.
        fault: what is wrong there; empty where nothing is.
    """

    current: str | None
    confirmed: bool = True
    fault: str = ""

    def serves(self, sha256: str) -> bool:
        """Tell whether a bundle is in use for good, and nothing is wrong with it."""
        return self.current == sha256 and self.confirmed and not self.fault


class Unit(Protocol):
    """A device, and the bundle that it is to serve."""

    @property
    def name(self) -> str:
        """The device's name, once in a fleet."""

    @property
    def address(self) -> str:
        """Where it is reached, and by which key it is known: with another it is another device."""

    @property
    def sha256(self) -> str:
        """Digest of the bundle that it is to serve."""

    def look(self) -> Seen:
        """Ask the device, and change nothing there.

        Raises:
            EdgeflowError: it does not say.
        """

    def go_back(self, reason: str) -> bool:
        """Let the device serve what it served before the bundle; return whether it served that.

        Raises:
            EdgeflowError: it does not answer, or has nothing to go back to.
        """

    def deploy(self, report: Report) -> Outcome:
        """Go the whole way of one device: install, try, switch, confirm.

        A device that serves the bundle already is sent nothing.
        """
