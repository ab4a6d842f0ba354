"""Snakemake's side of the step server: a socket for its jobs, and a server from the first on."""

import atexit
import contextlib
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from edgeflow.stepserver.client import ADDRESS, OFF

_LONGEST_PATH_BYTES = 100  # the kernel takes 107
_END_TIMEOUT_S = 15.0


class Launcher:
    """A listening socket in a private folder, and what serves it from the first connection on.

    Args:
        held: descriptors that the server holds too, until all steps have ended.
    """

    def __init__(self, held: Sequence[int] = ()) -> None:
        self._held = tuple(held)
        self._folder = Path(tempfile.mkdtemp(prefix="edgeflow-", dir=_short_place()))
        self.address = str(self._folder / "steps")
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(self.address)
        self._listening.listen(128)
        # The server ends when this end closes, however Snakemake ends; no job inherits it.
        self._alive, self._ours = os.pipe()
        self._server: subprocess.Popen[bytes] | None = None
        self._closing = threading.Lock()
        self._closed = False
        threading.Thread(target=self._wait, daemon=True).start()

    def _wait(self) -> None:
        """Start the server when the first command connects, which takes no CPU until then."""
        from edgeflow.stepserver.server import start

        select.select([self._listening.fileno(), self._alive], [], [])
        with self._closing:
            if self._closed:
                return
            listening = self._listening.fileno()
            arguments = (str(listening), str(self._alive), str(self._folder))
            self._server = start(
                "edgeflow.stepserver.server",
                [place for place in sys.path if isinstance(place, str)],
                *arguments,
                keep=(listening, self._alive, *self._held),
                start_new_session=True,
            )
            self._listening.close()

    def close(self) -> None:
        """End the server, and wait for it, so that its time counts as Snakemake's."""
        with self._closing:
            self._closed = True
            os.close(self._ours)
            self._listening.close()
        if self._server is not None:
            try:
                self._server.wait(_END_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                return  # a step takes long to die, and the server ends with it
        shutil.rmtree(self._folder, ignore_errors=True)


_launched: list[Launcher] = []


def serve_steps(held: Sequence[int] = ()) -> None:
    """Give the jobs of this process a step server, unless the environment says `off`.

    Args:
        held: descriptors that it holds until this process and all steps have ended.
    """
    if os.environ.get(ADDRESS) == OFF or _launched:
        return
    os.environ[ADDRESS] = OFF
    if hasattr(os, "pidfd_open"):
        with contextlib.suppress(OSError):  # no place for a socket
            _launched.append(Launcher(held))
            os.environ[ADDRESS] = _launched[0].address
            atexit.register(_launched[0].close)


def _short_place() -> str:
    """Return a folder for temporary files whose path leaves room for a socket's."""
    place = tempfile.gettempdir()
    return place if len(os.fsencode(place)) < _LONGEST_PATH_BYTES - 30 else "/tmp"  # noqa: S108
