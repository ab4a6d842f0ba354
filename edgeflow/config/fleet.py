"""Fleets, many devices from an inventory; and rollouts, which bring a model to them in waves."""

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from edgeflow.config.base import HomePath, LocalPath, Reference, Section
from edgeflow.config.device import (
    DeviceSettings,
    HostSettings,
    JumpHost,
    Port,
    RemotePath,
    User,
    VirtualDevice,
)

_PERCENT = r"^([0-9]{1,2}(\.[0-9]{1,3})?|100(\.0{1,3})?) ?%$"
Percent = Annotated[str, Field(pattern=_PERCENT)]
Wave = Annotated[int, Field(ge=1)] | Percent
Budget = Annotated[int, Field(ge=0)] | Percent
LabelValue = str | int


class _Fleet(Section):
    inventory: LocalPath
    """File with a row for each device, `.csv` or `.yaml`; see [fleets.md](fleets.md#inventory)."""


class SshFleet(_Fleet, DeviceSettings, HostSettings):
    """Real units, each reached over SSH with its host key pinned in the inventory."""

    transport: Literal["ssh"]
    port: Port = 22
    """TCP port of the SSH servers; a column `port` goes first."""
    user: User | None = None
    """Account on the devices; a column `user` goes first."""
    identity: HomePath
    """Path of the private key file to log in with, as of a device."""
    proxy_jump: JumpHost | None = None
    """Host to go through, where they cannot be reached from here; with its own host key."""
    path: RemotePath = "edgeflow"
    """Folder on the devices that edgeflow owns; relative paths start at the account's home."""
    python: RemotePath | None = None
    """Interpreter on the devices (3.7 or newer) that has numpy and the target's engine; by default
    as of a device."""


class VirtualFleet(_Fleet, VirtualDevice):
    """Folders behind real SSH servers on this machine, to try out a rollout."""


Fleet = Annotated[SshFleet | VirtualFleet, Field(discriminator="transport")]


class Rollout(Section):
    """A model after one recipe, brought to devices of a fleet in waves."""

    fleet: Reference
    """Name of a fleet of this configuration."""
    model: Reference | None = None
    """Name of a model for all devices; or of a family, of which each device gets the member that
    its column `variant` names."""
    variants: dict[str, Reference] = Field(default={})
    """Values of the column `variant`, each with the model for devices that have it."""
    recipe: Reference
    """Name of a recipe of this configuration. With each model it must be deployed to a device of
    the fleet's target: the rollout begins once that has passed its gates."""
    select: dict[str, LabelValue | Annotated[list[LabelValue], Field(min_length=1)]] = Field(
        default={}
    )
    """Labels of the devices that take part, each with its value or a list of values; by default
    all take part."""
    canaries: list[str] = Field(default=[])
    """Names of devices that come first; the others follow in the order of the inventory."""
    waves: Annotated[list[Wave], Field(min_length=1)] = Field(default=[1, "10%", "50%", "100%"])
    """Devices that have the model after each wave: numbers first, then shares, ascending to
    `100%`. The first wave is the canary."""
    soak_s: Annotated[float, Field(ge=0)] = 60.0
    """How long devices of a wave are watched before the next one begins."""
    poll_s: Annotated[float, Field(gt=0)] = 10.0
    """How often their health is asked meanwhile."""
    max_failed: Budget = 0
    """Most devices that may go back or refuse, a number or a share; one more ends the rollout."""
    max_unreachable: Budget = "5%"
    """Most devices that may not answer, a number or a share; one more ends the rollout."""
    connections: Annotated[int, Field(ge=1, le=256)] = 16
    """Devices that are worked on at a time."""
    allow_downgrade: bool = False
    """Let devices take a bundle with a lower counter than they have had; they note it."""
    automatic: bool = False
    """Whether a plain build rolls out too; otherwise `edgeflow rollout NAME` alone does."""

    @model_validator(mode="after")
    def _brings_something(self) -> Self:
        if self.model is None and not self.variants:
            raise ValueError("it names neither a `model` nor `variants`")
        return self

    @model_validator(mode="after")
    def _waves_ascend(self) -> Self:
        shares = [isinstance(wave, str) for wave in self.waves]
        sizes = [share_or_count(wave) for wave in self.waves]
        pairs = list(pairwise(zip(shares, sizes, strict=True)))
        if shares != sorted(shares) or any(a[0] == b[0] and a[1] >= b[1] for a, b in pairs):
            raise ValueError("`waves` must ascend: numbers of devices first, then shares")
        if sizes[-1] != 1.0 or not shares[-1]:
            raise ValueError("the last of `waves` must be `100%`")
        return self

    def models(self) -> list[str]:
        """Return the models that devices may get, each once."""
        return list(dict.fromkeys([*filter(None, [self.model]), *self.variants.values()]))

    def model_for(self, variant: str | None) -> str | None:
        """Return the model for devices with a variant, or without; None if there is none."""
        return self.model if variant is None else self.variants.get(variant)


def share_or_count(value: int | str) -> int | float:
    """Return a share as a float up to 1.0, and a number of devices as it is."""
    return value if isinstance(value, int) else float(value.rstrip("% ")) / 100
