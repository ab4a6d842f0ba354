"""The devices of a fleet, one row of its inventory each."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One device of a fleet.

    Attributes:
        host: name or address; empty for a virtual device.
        host_key: the only public host key that is accepted; empty for a virtual device.
        labels: what rollouts select devices by.
        variant: which of a rollout's models the device gets; None for the one model of all.
        standby: name of the device on which this one's model lies too, ready to serve there.
    """

    name: str
    host: str = ""
    port: int = 22
    user: str = ""
    host_key: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    variant: str | None = None
    standby: str | None = None
