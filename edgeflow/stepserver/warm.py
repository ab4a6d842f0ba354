"""A warm process: imports what some steps need, then forks a child for each of them.

It has one thread, always: what a fork finds of other threads is their locks alone. A child is the
step: a process group of its own, with the command's arguments, environment and open files. Its exit
is reported to the command, whose signals come back; it is killed when the command is gone.
"""

import contextlib
import gc
import os
import selectors
import signal
import socket
import sys
from dataclasses import dataclass
from typing import Any

from edgeflow.stepserver.child import EXIT_MISSED, become, die_with
from edgeflow.stepserver.client import ENDED, MISSED, STARTED
from edgeflow.stepserver.protocol import receive
from edgeflow.stepserver.sources import Loaded
from edgeflow.stepserver.steps import KINDS, load

MOST_CHILDREN = 256


@dataclass(frozen=True, slots=True)
class _Child:
    pid: int
    command: socket.socket
    ended: int
    """A descriptor that can be read when the child has ended."""
    look_up: bool


class Warm:
    """Forks children for the requests that come over a link, until it closes and all have ended."""

    def __init__(self, link: socket.socket, loaded: Loaded | None) -> None:
        self._link = link
        self._loaded = loaded
        self._children: dict[int, _Child] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(link, selectors.EVENT_READ)
        self._environment = dict(os.environ)
        self._at_sigterm = signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def serve(self) -> None:
        """Serve until the link is closed and no child is left."""
        while self._selector.get_map():
            for key, _ in self._selector.select():
                if key.fileobj is self._link:
                    self._request()
                elif key.data in self._children:  # not after its end, seen in the same round
                    self._hear(self._children[key.data], key.fd)

    def _request(self) -> None:
        received = receive(self._link, 4)
        if received is None:
            self._selector.unregister(self._link)
            return
        request, files = received
        command = socket.socket(fileno=files[0])
        try:
            if self._fits():
                self._fork(request, command, files[1:])
            else:
                command.close()
        finally:
            for file in files[1:]:
                os.close(file)

    def _fits(self) -> bool:
        """Return whether a child would be what a fresh process is now."""
        threads = len(os.listdir("/proc/self/task"))  # noqa: PTH208  # before each step
        few = threads == 1 and len(self._children) < MOST_CHILDREN
        return few and self._loaded is not None and self._loaded.is_current()

    def _fork(self, request: dict[str, Any], command: socket.socket, files: list[int]) -> None:
        """Fork a child that waits until its command knows of it."""
        told, tell = os.pipe()
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            os.setpgid(0, 0)
            die_with(parent)
            os.close(tell)
            if os.read(told, 1):
                self._leave(command, told)
                environment = {**self._environment, **request["environment"]}
                become(request["argv"], environment, files, request["look_up"])
            os._exit(1)
        os.close(told)
        os.setpgid(pid, pid)
        try:
            command.sendall(STARTED + b"\n")
        except OSError:
            os.close(tell)
            os.waitpid(pid, 0)
            command.close()
            return
        os.write(tell, b"1")
        os.close(tell)
        child = self._children[pid] = _Child(pid, command, os.pidfd_open(pid), request["look_up"])
        for source in (child.command, child.ended):
            self._selector.register(source, selectors.EVENT_READ, pid)

    def _leave(self, command: socket.socket, told: int) -> None:
        """Close and undo, in a child, what is the warm process' own."""
        signal.signal(signal.SIGTERM, self._at_sigterm)
        os.close(told)
        self._selector.close()
        self._link.close()
        command.close()
        for other in self._children.values():
            other.command.close()
            os.close(other.ended)

    def _hear(self, child: _Child, source: int) -> None:
        if source == child.ended:
            self._report(child)
            return
        try:
            signals = child.command.recv(64)
        except OSError:
            signals = b""
        for number in signals or [signal.SIGKILL]:
            os.killpg(child.pid, number)
        if not signals:
            self._selector.unregister(child.command)

    def _report(self, child: _Child) -> None:
        """Tell a command how its step ended."""
        _, status = os.waitpid(child.pid, 0)
        del self._children[child.pid]
        self._selector.unregister(child.ended)
        os.close(child.ended)
        with contextlib.suppress(KeyError):  # the command may be gone
            self._selector.unregister(child.command)
        with contextlib.suppress(OSError), child.command:
            missed = child.look_up and os.waitstatus_to_exitcode(status) == EXIT_MISSED
            child.command.sendall(b"%s %d\n" % (MISSED if missed else ENDED, status))


def main(kind: str, link: str, version: str) -> None:
    """Import what a kind of steps needs and serve them; refuse all where that is not possible."""
    loaded = None
    with contextlib.suppress(Exception), Loaded.watching() as watched:
        load(KINDS[kind])
        loaded = watched
    gc.collect()
    gc.freeze()  # the collector would touch, and so copy, all of it in each child
    if sys.version != version:
        loaded = None
    with socket.socket(fileno=int(link)) as own:
        Warm(own, loaded).serve()
    os._exit(0)  # nothing of it needs to be taken apart
