"""Starts virtual devices on demand: one server process for all of a project's."""

import socket
import subprocess
import sys
import time
from pathlib import Path

from edgeflow.errors import UnreachableError
from edgeflow.remote.virtual.layout import Address, DeviceFolder, is_served

STATE = Path(".edgeflow/virtual")
IDLE_S = 120.0
_START_S = 120.0
_POLL_S = 0.05


def ensure(name: str, python: Path, state: Path = STATE, idle_s: float = IDLE_S) -> Address:
    """Return the address of a virtual device that listens now.

    Args:
        name: the device's name, which is also its folder's.
        python: interpreter that the device calls ``python3``.
        state: folder of all virtual devices of a project.
        idle_s: after this long without a connection the server ends by itself.

    Raises:
        UnreachableError: the server does not start.
    """
    from filelock import FileLock

    state = state.absolute()
    folder = DeviceFolder(state / name)
    folder.path.mkdir(parents=True, exist_ok=True)
    with FileLock(state / "start.lock"):
        folder.request(python)
        return _wait(folder, state, idle_s)


def _wait(folder: DeviceFolder, state: Path, idle_s: float) -> Address:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        # None yet, or the one that was there just ended. What a device published says nothing then:
        # its port may be anybody's, and a copied folder has that of the folder it was copied from.
        if not is_served(state):
            _start(state, idle_s)
        address = folder.address()
        if address is not None and _answers(address):
            return address
        time.sleep(_POLL_S)
    raise _not_started(state)


def _not_started(state: Path) -> UnreachableError:
    log = state / "server.log"
    return UnreachableError("the server of the virtual devices does not start", hint=f"read {log}")


def _answers(address: Address) -> bool:
    """Tell whether an SSH server speaks there; this connection also keeps it from going idle."""
    try:
        with socket.create_connection((address.host, address.port), timeout=5) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def _start(state: Path, idle_s: float) -> None:
    """Start the server; it detaches itself, so that no job has to wait for its end."""
    module = ("-P", "-m", "edgeflow.remote.virtual.server")
    options = ("--state", str(state), "--idle-s", str(idle_s))
    with (state / "server.log").open("ab") as log:
        done = subprocess.run(
            [sys.executable, *module, *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            check=False,
        )
    if done.returncode != 0:
        raise _not_started(state)
