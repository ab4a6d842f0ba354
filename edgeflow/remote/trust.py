"""Shows the host key a device offers, for a person to compare and pin."""

import socket

from edgeflow.errors import UnreachableError


def scan_host_key(host: str, port: int, timeout_s: float) -> tuple[str, str]:
    """Return a device's public host key and its fingerprint; nothing is stored or sent.

    Returns:
        The value for `host_key` (``ssh-ed25519 AAAA...``) and ``SHA256:...`` for comparison
        with what the device itself says.

    Raises:
        UnreachableError: no SSH server answers there.
    """
    import paramiko

    try:
        with socket.create_connection((host, port), timeout=timeout_s) as connection:
            transport = paramiko.Transport(connection)
            transport.banner_timeout = timeout_s
            try:
                transport.start_client(timeout=timeout_s)
                key = transport.get_remote_server_key()
            finally:
                transport.close()
    except (OSError, EOFError, paramiko.SSHException) as error:
        raise UnreachableError(
            f"no SSH server answers at {host}:{port}: {error}",
            hint=f"is it on, and on this network? try: ssh -p {port} {host} true",
        ) from error
    return f"{key.get_name()} {key.get_base64()}", key.fingerprint
