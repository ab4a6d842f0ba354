"""Opens an SSH connection that trusts one pinned key and nothing else."""

import math
import socket
import sys
from typing import TYPE_CHECKING, NoReturn

from edgeflow.deploy.inventory import Endpoint
from edgeflow.errors import DeployError, UnreachableError

if TYPE_CHECKING:
    import paramiko
    from fabric import Connection

# Offered by paramiko for old servers; nothing that edgeflow talks to needs them.
_WEAK = {
    "ciphers": ["aes128-cbc", "aes192-cbc", "aes256-cbc", "3des-cbc"],
    "macs": ["hmac-md5", "hmac-md5-96", "hmac-sha1", "hmac-sha1-96"],
}


def open_connection(endpoint: Endpoint) -> "Connection":
    """Return an open connection; no file of the user's ~/.ssh is read, no agent is asked.

    Raises:
        DeployError: the host key is not the pinned one, or the login is refused.
        UnreachableError: the device does not answer in time.
    """
    import paramiko

    if not endpoint.identity.is_file():
        raise DeployError(
            f"no private key {endpoint.identity} to log in to device {endpoint.name}",
            hint=f"create one: ssh-keygen -t ed25519 -f {endpoint.identity}",
        )
    connection = _prepare(endpoint)
    try:
        connection.open()
    except (paramiko.SSHException, OSError, EOFError) as error:
        connection.client.close()
        _explain(endpoint, error)
    _tune(connection.transport, endpoint.timeout_s)
    return connection


def _prepare(endpoint: Endpoint) -> "Connection":
    import paramiko
    from fabric import Config, Connection

    # Fabric cuts fractions off: 0.9 s would become 0, which means no timeout at all.
    limit_s = max(1, math.ceil(endpoint.timeout_s))
    run = {"in_stream": False, "hide": True, "warn": True, "encoding": "utf-8"}
    connection = Connection(
        endpoint.host,
        user=endpoint.user,
        port=endpoint.port,
        connect_timeout=limit_s,
        config=Config(overrides={"load_ssh_configs": False, "run": run}),
        connect_kwargs={
            "key_filename": str(endpoint.identity),
            "look_for_keys": False,
            "allow_agent": False,
            # Below connect_timeout: otherwise a silent server ends in "No existing session".
            "banner_timeout": limit_s * 0.8,
            "auth_timeout": limit_s,
            "channel_timeout": limit_s,
            "disabled_algorithms": _WEAK,
        },
    )
    # Fabric's own client accepts any host key and reads no known_hosts file.
    connection.client = paramiko.SSHClient()
    connection.client.set_missing_host_key_policy(paramiko.RejectPolicy())
    key = _pinned_key(endpoint)
    connection.client.get_host_keys().add(_pin_name(endpoint), key.get_name(), key)
    return connection


def _pin_name(endpoint: Endpoint) -> str:
    return endpoint.host if endpoint.port == 22 else f"[{endpoint.host}]:{endpoint.port}"


def _pinned_key(endpoint: Endpoint) -> "paramiko.PKey":
    from paramiko import SSHException
    from paramiko.hostkeys import HostKeyEntry, InvalidHostKey

    try:
        entry = HostKeyEntry.from_line(f"pin {endpoint.host_key}")
    except (InvalidHostKey, SSHException):
        entry = None
    if entry is None or entry.key is None:
        raise DeployError(
            f"the host_key of device {endpoint.name} is not a public key",
            hint=f"copy it from the device: ssh-keyscan -p {endpoint.port} {endpoint.host}",
        )
    return entry.key


def _explain(endpoint: Endpoint, error: Exception) -> NoReturn:
    """Raise the failure that a person can act on."""
    from paramiko import AuthenticationException, BadHostKeyException

    where = f"device {endpoint.name} ({endpoint.host}:{endpoint.port})"
    if isinstance(error, BadHostKeyException):
        raise DeployError(
            f"{where} has another host key than the pinned one; nothing was sent\n"
            f"  pinned:  {error.expected_key.fingerprint}\n"
            f"  offered: {error.key.fingerprint}",
            hint="if the device was set up anew, compare the offered one with what it says "
            "itself (`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`), then change host_key",
        ) from error
    if isinstance(error, AuthenticationException) and "timeout" not in str(error).lower():
        raise DeployError(
            f"{where} refuses to log in {endpoint.user} with {endpoint.identity}: {error}",
            hint=f"ssh-copy-id -i {endpoint.identity} -p {endpoint.port} "
            f"{endpoint.user}@{endpoint.host}",
        ) from error
    raise UnreachableError(
        f"{where} does not answer: {_reason(error, endpoint.timeout_s)}",
        hint=f"is it on, and on this network? try: {endpoint.shell_command()}",
    ) from error


def _reason(error: Exception, timeout_s: float) -> str:
    from paramiko.ssh_exception import NoValidConnectionsError

    if isinstance(error, NoValidConnectionsError):
        return "; ".join(str(cause) for cause in error.errors.values())
    if isinstance(error, TimeoutError):
        return f"no connection within {timeout_s:g} s"
    if "banner" in str(error):
        return f"it accepts the connection, but no SSH server speaks within {timeout_s:g} s"
    return str(error) or "it closed the connection"


def _tune(transport: "paramiko.Transport", timeout_s: float) -> None:
    transport.set_keepalive(max(1, math.ceil(timeout_s / 3)))
    if not isinstance(transport.sock, socket.socket):
        return
    # Without this every small request waits 40 ms for the device's delayed acknowledgement.
    transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if sys.platform == "linux":
        # paramiko's keepalive never notices that nobody answers; the kernel does.
        limit_ms = math.ceil(timeout_s * 1000)
        transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, limit_ms)
