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
TIMEOUT_S = 10.0
_START_S = 120.0
_POLL_S = 0.05


def ensure(
    name: str,
    python: Path,
    state: Path = STATE,
    idle_s: float = IDLE_S,
    timeout_s: float = TIMEOUT_S,
) -> Address:
    """Return the address of a virtual device that listens now.

    Args:
        name: the device's name, which is also its folder's.
        python: interpreter that the device calls ``python3``.
        state: folder of all virtual devices of a project.
        idle_s: after this long without a connection the server ends by itself.
        timeout_s: longest wait for a server that listens and says nothing.

    Raises:
        UnreachableError: the server does not start, or does not answer.
    """
    state = state.absolute()
    folder = DeviceFolder(state / name)
    folder.path.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        _let_serve(folder, python, state, idle_s)
        address = folder.address()
        if address is not None and _answers(address, timeout_s):
            return address
        time.sleep(_POLL_S)
    raise _not_started(state)


def _let_serve(folder: DeviceFolder, python: Path, state: Path, idle_s: float) -> None:
    """Ask for a device, and start the server if none runs; one process at a time does so."""
    from filelock import FileLock, Timeout

    try:
        with FileLock(state / "start.lock", timeout=_START_S):
            folder.request(python)
            # None yet, or the one that was there just ended. What a device published says nothing
            # then: its port may be anybody's, and a copied folder has that of the original.
            if not is_served(state):
                _start(state, idle_s)
    except Timeout as error:
        raise _not_started(state) from error


def _not_started(state: Path) -> UnreachableError:
    log = state / "server.log"
    return UnreachableError("the server of the virtual devices does not start", hint=f"read {log}")


def _answers(address: Address, timeout_s: float) -> bool:
    """Tell whether an SSH server speaks there; this connection also keeps it from going idle.

    Raises:
        UnreachableError: one listens, and says nothing.
    """
    try:
        place = (address.host, address.port)
        with socket.create_connection(place, timeout=timeout_s) as connection:
            return connection.recv(4) == b"SSH-"
    except TimeoutError as error:
        raise UnreachableError(
            f"the server of the virtual devices (process {address.pid}) does not answer within "
            f"{timeout_s:g} s",
            hint=f"let it go on: kill -CONT {address.pid}; or end it, and the next command starts "
            f"another: kill -KILL {address.pid}",
        ) from error
    except OSError:
        return False


def _start(state: Path, idle_s: float) -> None:
    """Start the server; it detaches itself, so that no job has to wait for its end."""
    module = ("-P", "-m", "edgeflow.remote.virtual.server")
    options = ("--state", str(state), "--idle-s", str(idle_s))
    with (state / "server.log").open("ab") as log:
        try:
            subprocess.run(
                [sys.executable, *module, *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                check=True,
                timeout=_START_S,
            )
        except subprocess.SubprocessError as error:
            raise _not_started(state) from error
