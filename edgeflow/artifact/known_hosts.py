"""The host key policy of a remote store over SFTP: known to OpenSSH, or refused."""

import logging
from pathlib import Path

import paramiko

# Its failures come as exceptions; what it logs on top, with tracebacks, would go to the terminal.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


class KnownHosts(paramiko.MissingHostKeyPolicy):
    """Takes only the keys that stand in `~/.ssh/known_hosts`, and adds none."""

    def missing_host_key(
        self,
        client: paramiko.SSHClient,  # noqa: ARG002  # paramiko's signature
        hostname: str,
        key: paramiko.PKey,
    ) -> None:
        """Refuse a key that is not there.

        Raises:
            SSHException: it is not.
        """
        path = Path("~/.ssh/known_hosts").expanduser()
        known = paramiko.HostKeys(str(path)) if path.is_file() else paramiko.HostKeys()
        if not known.check(hostname, key):
            raise paramiko.SSHException(
                f"the {key.get_name()} host key {key.fingerprint} of {hostname} is not in {path}; "
                "check it with the server's owner and add it"
            )
