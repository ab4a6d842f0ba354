"""Shows the host key a device offers, for a person to compare and pin."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from edgeflow.errors import UnreachableError
from edgeflow.remote.connect import open_connection
from edgeflow.remote.inventory import Account

if TYPE_CHECKING:
    from paramiko import Channel


def scan_host_key(
    host: str, port: int, timeout_s: float, jump: Account | None = None
) -> tuple[str, str]:
    """Return a device's public host key and its fingerprint; nothing is stored or sent.

    Args:
        host: name or address, as the jump host knows it if there is one.
        port: of its SSH server.
        timeout_s: longest wait for an answer.
        jump: host to go through.

    Returns:
        The value for `host_key` (``ssh-ed25519 AAAA...``) and ``SHA256:...`` for comparison
        with what the device itself says.

    Raises:
        DeployError: the jump host's key is not the pinned one, or it refuses the login.
        UnreachableError: no SSH server answers there.
    """
    import paramiko

    try:
        with _connected(host, port, timeout_s, jump) as connection:
            transport = paramiko.Transport(connection)
            transport.banner_timeout = timeout_s
            try:
                transport.start_client(timeout=timeout_s)
                key = transport.get_remote_server_key()
            finally:
                transport.close()
    except (OSError, EOFError, paramiko.SSHException) as error:
        look = f"ssh -p {port} {host} true"
        if jump is not None:
            look = jump.shell_command(f"ssh-keyscan -p {port} {host}")
        raise UnreachableError(
            f"no SSH server answers at {host}:{port}: {error}",
            hint=f"is it on, and on this network? try: {look}",
        ) from error
    return f"{key.get_name()} {key.get_base64()}", key.fingerprint


@contextmanager
def _connected(
    host: str, port: int, timeout_s: float, jump: Account | None
) -> Iterator["socket.socket | Channel"]:
    """Connect to a port, by way of the jump host if there is one."""
    if jump is None:
        with socket.create_connection((host, port), timeout=timeout_s) as connection:
            yield connection
        return
    gateway = open_connection(jump)
    try:
        yield gateway.transport.open_channel("direct-tcpip", (host, port), ("", 0), timeout_s)
    finally:
        gateway.close()
