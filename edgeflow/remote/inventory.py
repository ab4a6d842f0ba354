"""Where a device is and how to log in: the same for a real one and a virtual one."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter

from edgeflow.config.device import (
    CompileHost,
    Device,
    JumpHost,
    SshCompileHost,
    SshDevice,
    VirtualCompileHost,
    VirtualDevice,
)

OWN_PYTHON = "env/current/bin/python"
"""The interpreter that provisioning makes, in the folder that edgeflow owns on a device."""
PYTHON = "python3"


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """An account on a host.

    Attributes:
        title: what messages call the host, as in ``device kitchen``.
        host_key: the only public host key that is accepted, as in ``ssh-ed25519 AAAA...``.
        identity: private key file to log in with; the public one if the agent has the other.
        timeout_s: longest wait for a connection, and for any sign of life in a transfer.
        proxy_jump: host to go through.
    """

    title: str
    host: str
    port: int
    user: str
    host_key: str
    identity: Path
    timeout_s: float
    proxy_jump: "Account | None" = None

    def shell_command(self, program: str = "true") -> str:
        """Return the command by which a person runs a program there, or sees that it answers."""
        return f"ssh {self.ssh_options()} {self.user}@{self.host} {program}"

    def ssh_options(self) -> str:
        """Return what OpenSSH's programs need to be told to get there, for a shell."""
        options = ["-p", str(self.port), "-i", str(self.identity)]
        if (jump := self.proxy_jump) is not None:
            # In quotes of its own: a shell runs it, and brackets mean something there.
            way = f"ssh {jump.ssh_options()} -W '[%h]:%p' {jump.user}@{jump.host}"
            options += ["-o", f"ProxyCommand={way}"]
        return shlex.join(options)


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint(Account):
    """An account on a device or compile host.

    Attributes:
        name: its name in the configuration.
        path: folder there that edgeflow owns; relative to the account's home.
        python: interpreter there.
        own_python: that of the environment which provisioning makes; it is taken where it is there.
        run_timeout_s: longest time one program may run.
        confirm_s: how long a device waits for the confirmation of a release.
        unit: tells engines which of the host's boards or sticks is meant.
        emulated: whether an emulator runs its programs, so that no time there means anything.
        trust: ``signatures`` if it must verify who signed a bundle, or ``transport``.
        fleet: name of the fleet whose row it is; empty for a device of the configuration.
    """

    name: str
    path: str
    python: str
    run_timeout_s: float
    own_python: str = ""
    confirm_s: float = 60.0
    unit: Mapping[str, str | int | float] = field(default_factory=dict)
    emulated: bool = False
    trust: Literal["signatures", "transport"] = "transport"
    fleet: str = ""

    @property
    def argument(self) -> str:
        """What names it to `edgeflow device`."""
        return f"{self.name} --fleet {self.fleet}" if self.fleet else self.name


def parse_device(section: Mapping[str, Any]) -> SshDevice | VirtualDevice:
    """Return the device of a deploy step's slice, which leaves the target out."""
    device: SshDevice | VirtualDevice = TypeAdapter(Device).validate_python(
        {"target": "any", **section}
    )
    return device


def endpoint(name: str, device: SshDevice | VirtualDevice) -> Endpoint:
    """Return where a device is; a virtual device is started first.

    Args:
        name: the device's name in the configuration.
        device: its section.

    Raises:
        MissingToolError: a virtual device's environment cannot be built.
        UnreachableError: a virtual device does not start.
    """
    where = _endpoint(name, device, f"device {name}", folder=name)
    trust = device.trust or "transport"
    found = replace(
        where, unit=device.unit, confirm_s=device.confirm_s, trust=trust, fleet=device.fleet
    )
    named = isinstance(device, SshDevice) and device.python is not None
    return found if named else replace(found, own_python=f"{found.path}/{OWN_PYTHON}")


def compile_endpoint(host: Mapping[str, Any]) -> Endpoint:
    """Return where a compile host is, as `endpoint` does.

    Args:
        host: its section in the configuration, and its ``name``.
    """
    name = str(host["name"])
    section: SshCompileHost | VirtualCompileHost = TypeAdapter(CompileHost).validate_python(
        {key: value for key, value in host.items() if key != "name"}
    )
    # With a dot, which no device has in its name.
    folder = f"compile_host.{name}"
    return _endpoint(name, section, f"compile host {name}", folder=folder)


def _endpoint(
    name: str,
    host: SshDevice | VirtualDevice | SshCompileHost | VirtualCompileHost,
    title: str,
    *,
    folder: str,
) -> Endpoint:
    if isinstance(host, VirtualDevice | VirtualCompileHost):
        return _virtual_endpoint(name, host, title, folder)
    jump = host.proxy_jump
    on_device = {"target", "unit", "trust", "service", "confirm_s", "python"}
    elsewhere = {*on_device, "jobs", "transport", "identity", "proxy_jump"}
    return Endpoint(
        name=name,
        title=title,
        identity=Path(host.identity).expanduser(),
        python=host.python or PYTHON,
        proxy_jump=jump_account(f"the jump host of {title}", jump, host.timeout_s)
        if jump
        else None,
        **host.model_dump(exclude=elsewhere),
    )


def jump_account(title: str, host: JumpHost, timeout_s: float) -> Account:
    """Return the account on a jump host; `title` is what messages call the host."""
    return Account(
        title=title,
        identity=Path(host.identity).expanduser(),
        timeout_s=timeout_s,
        **host.model_dump(exclude={"identity"}),
    )


def _virtual_endpoint(
    name: str, host: VirtualDevice | VirtualCompileHost, title: str, folder: str
) -> Endpoint:
    from edgeflow.remote import environment
    from edgeflow.remote.virtual import start

    python = environment.device_python(host.environment, title, host.python)
    address = start.ensure(folder, python, timeout_s=host.timeout_s)
    return Endpoint(
        name=name,
        title=title,
        host=address.host,
        port=address.port,
        user=address.user,
        host_key=address.host_key,
        identity=address.identity,
        path="edgeflow",
        python=PYTHON,
        timeout_s=host.timeout_s,
        run_timeout_s=host.run_timeout_s,
    )
