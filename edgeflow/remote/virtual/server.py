"""Virtual devices: one process with a real SSH server and a folder for each of them.

Loopback and public keys only, no SFTP. Programs are not confined to a device's folder: this
stands in for a device that is trusted, it is no sandbox. Run as
``python -P -m edgeflow.remote.virtual.server --state DIR --idle-s N``.
"""

import argparse
import asyncio
import contextlib
import functools
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from edgeflow.remote.virtual.layout import (
    USER,
    Address,
    DeviceFolder,
    claim,
    device_folders,
    holds,
)

if TYPE_CHECKING:
    import asyncssh

_HOST = "127.0.0.1"
_POLL_S = 0.1


class Activity:
    """Counts open connections, and remembers when the last one ended."""

    def __init__(self) -> None:
        self.open = 0
        self._last = time.monotonic()

    def change(self, by: int) -> None:
        """Count a connection that opens (+1) or ends (-1)."""
        self.open += by
        self._last = time.monotonic()

    def idle_s(self) -> float:
        """Return for how long nobody has been connected."""
        return 0.0 if self.open else time.monotonic() - self._last


def _keys(folder: DeviceFolder) -> None:
    """Create the device's host key and its account's key pair, once."""
    import asyncssh

    for path in (folder.host_key, folder.identity):
        if not path.exists():
            key = asyncssh.generate_private_key("ssh-ed25519", comment=folder.path.name)
            key.write_public_key(path.with_suffix(".pub"))
            temporary = path.with_suffix(".new")
            temporary.touch(mode=0o600)
            key.write_private_key(temporary)
            temporary.replace(path)  # last: whoever sees it has the public half too


def _admits(folder: DeviceFolder, username: str, key: "asyncssh.SSHKey") -> "dict[str, Any] | None":
    """Return what restricts a key that may log in; None for one that may not.

    As with sshd, that is said by the account's ``authorized_keys``, if that names the key.
    """
    import asyncssh

    if username != USER:
        return None
    path = folder.root / ".ssh" / "authorized_keys"
    if path.is_file():
        entries = asyncssh.import_authorized_keys(path.read_text())
        if (found := entries.validate(key, _HOST, _HOST)) is not None:
            return dict(found)
    more = folder.behaviour().also_allowed
    keys = [asyncssh.read_public_key(folder.identity.with_suffix(".pub"))]
    keys += [asyncssh.import_public_key(more)] if more else []
    return {} if key.public_data in {known.public_data for known in keys} else None


def _server(folder: DeviceFolder, activity: Activity) -> type["asyncssh.SSHServer"]:
    """Return what answers the questions of one device's SSH server."""
    import asyncssh

    class Server(asyncssh.SSHServer):
        def connection_lost(self, _exc: Exception | None) -> None:
            activity.change(-1)

        def begin_auth(self, username: str) -> bool:
            print(f"{folder.path.name}: {username} wants to log in", flush=True)
            return True

        def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
            self._conn = conn
            activity.change(+1)

        def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
            found = _admits(folder, username, key)
            self._restricted = "restrict" in (found or {})
            self._conn.set_extra_info(only=(found or {}).get("command"))
            return found is not None

        def connection_requested(
            self, dest_host: str, dest_port: int, _orig_host: str, _orig_port: int
        ) -> bool:
            if self._restricted or not (dest_host == _HOST and dest_port):
                raise asyncssh.ChannelOpenError(
                    asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, "loopback only"
                )
            return True

        def public_key_auth_supported(self) -> bool:
            return True

    return Server


async def listen(folder: DeviceFolder, activity: Activity) -> "asyncssh.SSHAcceptor":
    """Start one device's SSH server and publish its address."""
    import asyncssh

    from edgeflow.remote.virtual import execute

    _keys(folder)
    folder.root.mkdir(exist_ok=True)
    host_key = asyncssh.read_private_key(folder.host_key)
    acceptor = await asyncssh.listen(
        _HOST,
        0,
        server_factory=_server(folder, activity),
        server_host_keys=[host_key],
        process_factory=functools.partial(execute.serve, folder),
        encoding=None,
        password_auth=False,
        kbdint_auth=False,
        gss_host=None,
        agent_forwarding=False,
        line_editor=False,
        config=[],
    )
    public = host_key.export_public_key().decode().split()
    folder.publish(
        Address(
            host=_HOST,
            port=acceptor.get_port(),
            user=USER,
            host_key=" ".join(public[:2]),
            identity=folder.identity,
            pid=os.getpid(),
        )
    )
    return acceptor


async def serve(state: Path, idle_s: float, lock: TextIO) -> None:
    """Serve every device that is asked for, until nobody connects for `idle_s` or SIGTERM.

    Where the folder was removed, the next server has one of the same name: nothing of that is ours.
    """
    stop, activity = asyncio.Event(), Activity()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    acceptors: dict[DeviceFolder, asyncssh.SSHAcceptor] = {}
    while not stop.is_set() and activity.idle_s() < idle_s and holds(state, lock):
        for folder in device_folders(state):
            if folder not in acceptors:
                acceptors[folder] = await listen(folder, activity)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _POLL_S)
    for folder, acceptor in acceptors.items():
        folder.withdraw(os.getpid())
        acceptor.close()


def main() -> int:
    """Run the server in the background, unless another one serves the folder already."""
    parser = argparse.ArgumentParser(description="serve virtual devices over SSH on loopback")
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--idle-s", type=float, default=120.0)
    options = parser.parse_args()
    lock = claim(options.state)
    if lock is None:
        return 0
    for folder in device_folders(options.state):  # as a killed server, or a copy, has left it
        folder.withdraw()
    if os.fork():
        os._exit(0)  # the claim goes on in the child
    with lock:
        asyncio.run(serve(options.state, options.idle_s, lock))
    return 0


if __name__ == "__main__":
    sys.exit(main())
