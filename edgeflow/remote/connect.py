"""Opens an SSH connection that trusts one pinned key and nothing else."""

import math
import socket
import sys
from typing import TYPE_CHECKING, Any

from edgeflow.errors import DeployError
from edgeflow.remote.diagnose import no_forwarding, no_login
from edgeflow.remote.inventory import Account
from edgeflow.remote.login import forget, login_key

if TYPE_CHECKING:
    import paramiko
    from fabric import Connection

# Offered by paramiko for old servers; nothing that edgeflow talks to needs them.
_WEAK = {
    "ciphers": ["aes128-cbc", "aes192-cbc", "aes256-cbc", "3des-cbc"],
    "macs": ["hmac-md5", "hmac-md5-96", "hmac-sha1", "hmac-sha1-96"],
}
# On the way to this machine at once: that of paramiko is less than a fast and long way holds.
_WINDOW_BYTES = 8 << 20


def open_connection(account: Account) -> "Connection":
    """Return an open connection, by way of the account's jump host if it has one.

    Of the user's ~/.ssh nothing is read but the key that `identity` names.

    Raises:
        DeployError: a host key is not the pinned one, or a login is refused.
        UnreachableError: the device, or its jump host, does not answer in time.
    """
    import paramiko

    jump = open_connection(account.proxy_jump) if account.proxy_jump else None
    try:
        connection = _prepare(account, jump)
        try:
            connection.open()
        except paramiko.ChannelException as error:
            raise no_forwarding(account, error) from error
        except (paramiko.SSHException, OSError, EOFError) as error:
            connection.client.close()
            no_login(account, error)
        finally:
            forget(connection.connect_kwargs["pkey"])
    except BaseException:
        if jump is not None:
            jump.client.close()
        raise
    _tune(connection.transport, account.timeout_s)
    return connection


def _prepare(account: Account, jump: "Connection | None") -> "Connection":
    import paramiko
    from fabric import Config, Connection

    # Fabric cuts fractions off: 0.9 s would become 0, which means no timeout at all.
    limit_s = max(1, math.ceil(account.timeout_s))
    connection = Connection(
        account.host,
        user=account.user,
        port=account.port,
        gateway=jump,
        connect_timeout=limit_s,
        config=Config(overrides={"load_ssh_configs": False}),
        connect_kwargs={
            "pkey": login_key(account),
            "look_for_keys": False,
            "allow_agent": False,
            # Below connect_timeout: otherwise a silent server ends in "No existing session".
            "banner_timeout": limit_s * 0.8,
            "auth_timeout": limit_s,
            "channel_timeout": limit_s,
            "disabled_algorithms": _WEAK,
            "transport_factory": _transport,
        },
    )
    # Fabric's own client accepts any host key and reads no known_hosts file.
    connection.client = paramiko.SSHClient()
    connection.client.set_missing_host_key_policy(paramiko.RejectPolicy())
    key = _pinned_key(account)
    connection.client.get_host_keys().add(_pin_name(account), key.get_name(), key)
    return connection


def _transport(sock: socket.socket, **options: Any) -> "paramiko.Transport":
    """Return a transport that prefers the ciphers that are their own checksum: half the work."""
    import paramiko

    transport = paramiko.Transport(sock, default_window_size=_WINDOW_BYTES, **options)
    security = transport.get_security_options()
    security.ciphers = sorted(security.ciphers, key=lambda name: "gcm" not in name)
    return transport


def _pin_name(account: Account) -> str:
    return account.host if account.port == 22 else f"[{account.host}]:{account.port}"


def _pinned_key(account: Account) -> "paramiko.PKey":
    from paramiko.hostkeys import HostKeyEntry

    try:
        entry = HostKeyEntry.from_line(f"pin {account.host_key}")
    except Exception:  # whatever cryptography and paramiko raise for other bytes
        entry = None
    if entry is None or entry.key is None:
        raise DeployError(
            f"the host_key of {account.title} is not a public key",
            hint=f"copy it from the device: ssh-keyscan -p {account.port} {account.host}",
        )
    return entry.key


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
        # The other way round: OpenSSH holds its first answer back until ours comes.
        transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
