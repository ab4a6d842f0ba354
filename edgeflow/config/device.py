"""Devices, one physical or virtual unit each; and compile hosts, which are reached like them."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, PrivateAttr

from edgeflow.config.base import HomePath, LocalPath, Reference, Section
from edgeflow.config.host import usable_host
from edgeflow.config.hostkey import whole_host_key
from edgeflow.config.service import Service

_PART = r"\.?[A-Za-z0-9_][A-Za-z0-9_.-]*"
RemotePath = Annotated[str, Field(max_length=200, pattern=rf"^/?{_PART}(/{_PART})*$")]
"""A path on a device that needs no quoting, has no `..` and cannot be taken for an option."""
FOLDERS = frozenset({"bin", "data", "env", "trust"})
"""What edgeflow keeps in its folder on a device beside one folder for each model."""

_HOST = r"^[A-Za-z0-9:_][A-Za-z0-9.:_-]{0,252}(%[A-Za-z0-9_][A-Za-z0-9._-]{0,63})?$"


Host = Annotated[str, Field(pattern=_HOST), AfterValidator(usable_host)]
Port = Annotated[int, Field(ge=1, le=65535)]
User = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_.-]{0,31}$")]
HostKey = Annotated[
    str,
    Field(pattern=r"^(ssh-|ecdsa-)[a-z0-9@.-]+ [A-Za-z0-9+/]+=*$"),
    AfterValidator(whole_host_key),
]


class _Account(Section):
    host: Host
    """Name or address, such as `kitchen.local`, `10.0.0.7` or `fe80::1%eth0`."""
    port: Port = 22
    """TCP port of the SSH server."""
    user: User
    """Account there: a lower-case letter or `_`, then also digits, `.` and `-`."""
    host_key: HostKey
    """Public host key, as in `ssh-ed25519 AAAA...`, without a comment; no other is accepted."""
    identity: HomePath
    """Path of the private key file to log in with. Of its public half (`.pub`), if the private
    one is in the SSH agent, as those of security keys are."""


class JumpHost(_Account):
    """A host on the way to a device; it forwards and sees nothing of what passes."""


UnitName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
UnitValue = Annotated[str, Field(max_length=200, pattern=r"^[ -~]*$")] | int | float
Unit = Annotated[dict[UnitName, UnitValue], Field(max_length=16)]


class HostSettings(Section):
    """How long a host may take."""

    timeout_s: Annotated[float, Field(gt=0)] = 10.0
    """Longest wait for a connection, and for any sign of life during a transfer."""
    run_timeout_s: Annotated[float, Field(gt=0)] = 1800.0
    """Longest time one program may run there; then it is ended."""


class _SshHost(_Account, HostSettings):
    transport: Literal["ssh"]
    proxy_jump: JumpHost | None = None
    """Host to go through, where it cannot be reached from here; with its own host key."""
    path: RemotePath = "edgeflow"
    """Folder there that edgeflow owns; relative paths start at the account's home. It has letters,
    digits, `.`, `_`, `-` and `/` alone, and no `..`."""


class _VirtualHost(HostSettings):
    transport: Literal["virtual"]
    python: Annotated[str, Field(pattern=r"^3\.[0-9]{1,2}$")] | None = None
    """Version of Python that the lock file in `environment` is for, such as `"3.9"`; by default
    edgeflow's own."""


class DeviceSettings(Section):
    """What devices are, however they are reached."""

    target: Reference
    """Name of a target of this configuration."""
    confirm_s: Annotated[float, Field(gt=0, le=86400)] = 60.0
    """How long the device waits for the confirmation of a new release, over a second connection;
    without it, it goes back to the release before by itself."""
    unit: Unit = Field(default_factory=dict)
    """Which of the boards or sticks at the host is meant, such as `serial: "066BFF"` of a debug
    probe: passed to the engine at run time. Each target says which names it takes. A board of its
    own needs a device of its own, with a `path` of its own."""
    service: Service | None = None
    """Serves what is deployed there: `{}`, or options of the service. By default nothing does."""
    trust: Literal["signatures", "transport"] | None = None
    """`signatures`: deploy only if the device itself verifies who signed a bundle. `transport`:
    whoever can log in decides what it runs. By default `transport` for virtual devices, and
    `signatures` for others if there is a section `signing`, without which they must say."""
    _fleet: str = PrivateAttr(default="")

    @property
    def fleet(self) -> str:
        """Name of the fleet whose row it is; empty for a device of the configuration."""
        return self._fleet

    def in_fleet(self, name: str) -> Self:
        """Return it as a row of a fleet."""
        row = self.model_copy()
        row._fleet = name
        return row


class SshDevice(_SshHost, DeviceSettings):
    """A real unit, reached over SSH with its host key pinned."""

    python: RemotePath | None = None
    """Interpreter on the device (3.7 or newer) that has numpy and the target's engine; by default
    that of the environment which `edgeflow device provision` made there, else `python3`. It has
    letters, digits, `.`, `_`, `-` and `/` alone."""
    emulated: bool = False
    """Whether an emulator such as QEMU runs its programs: nothing is timed there then, and
    instructions are counted, if the emulator tells them."""


class VirtualDevice(_VirtualHost, DeviceSettings):
    """A folder behind a real SSH server on this machine, started on demand."""

    environment: LocalPath | None = None
    """Lock file of the device's Python packages, such as `envs/litert-device.txt`; it is built
    once and cached. By default the device runs edgeflow's own environment."""


Device = Annotated[SshDevice | VirtualDevice, Field(discriminator="transport")]


class _CompileHost(Section):
    jobs: Annotated[int, Field(ge=1, le=64)] = 1
    """Compilations that may run there at once."""


class SshCompileHost(_SshHost, _CompileHost):
    """A machine that has a compiler, reached over SSH with its host key pinned."""

    python: RemotePath = "python3"
    """Interpreter there (3.7 or newer) that runs the target's worker; letters, digits, `.`, `_`,
    `-` and `/` alone."""


class VirtualCompileHost(_VirtualHost, _CompileHost):
    """A folder behind a real SSH server on this machine, to try out how a target compiles."""

    environment: LocalPath | None = None
    """Lock file of the Python packages there; by default it runs edgeflow's own environment."""


CompileHost = Annotated[SshCompileHost | VirtualCompileHost, Field(discriminator="transport")]
