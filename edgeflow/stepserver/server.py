"""The step server: passes each step's command on to a warm process, which it starts on demand.

A process of its own in the session of its own, with one thread. It ends when Snakemake does: the
other end of its pipe is open in Snakemake alone.
"""

import contextlib
import hashlib
import json
import os
import selectors
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from edgeflow.cli.families import end_families
from edgeflow.stepserver.protocol import peer, receive, send
from edgeflow.stepserver.steps import KINDS, is_looked_up, kind_of

MOST_WARM = 4
"""Warm processes at a time; what would need one more runs by itself."""
REQUEST_TIMEOUT_S = 10.0
LOOSE = ("_", "OLDPWD", "PWD", "SHLVL")
"""Variables of the shell's, which nothing reads at import; all others are a warm process' own."""
ON_ONE_CORE = {
    f"{library}_THREADS": "1"
    for library in (
        "OMP_NUM",
        "GOTO_NUM",
        "OPENBLAS_NUM",
        "MKL_NUM",
        "VECLIB_MAXIMUM",
        "NUMEXPR_NUM",
    )
}
"""What Snakemake sets for a job that takes one core."""
_BEGIN = """
import json, sys
sys.path[:] = json.loads(sys.argv[2])
from importlib import import_module
import_module(sys.argv[1]).main(*sys.argv[3:])
"""


def start(
    module: str,
    path: list[str],
    *arguments: str,
    keep: tuple[int, ...],
    executable: str = sys.executable,
    **options: Any,
) -> "subprocess.Popen[bytes]":
    """Start a Python process of no terminal, which looks for modules in `path`.

    Args:
        module: whose `main` runs.
        path: its `sys.path`, before it imports anything but the standard library.
        arguments: for `main`.
        keep: descriptors that it inherits.
        executable: the interpreter.
        options: for `subprocess.Popen`.
    """
    return subprocess.Popen(
        [executable, "-P", "-c", _BEGIN, module, json.dumps(path), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=keep,
        **options,
    )


class Server:
    """Accepts commands on a socket until the pipe from Snakemake closes, and ends them then."""

    def __init__(self, listening: socket.socket, alive: int) -> None:
        self._listening, self._alive = listening, alive
        self._commands: dict[int, int] = {}  # those that run: a descriptor and the process id
        self._selector = selectors.DefaultSelector()
        self._selector.register(listening, selectors.EVENT_READ)
        self._selector.register(alive, selectors.EVENT_READ)
        self._warm: dict[str, tuple[socket.socket, subprocess.Popen[bytes]]] = {}

    def serve(self) -> None:
        """Serve until Snakemake has ended, then end what is left of its steps."""
        while self._alive not in (ready := {key.fd for key, _ in self._selector.select()}):
            for ended in ready & self._commands.keys():
                del self._commands[ended]
                self._selector.unregister(ended)
                os.close(ended)
            if self._listening.fileno() in ready:
                self._accept()
        self._listening.setblocking(False)
        with contextlib.suppress(BlockingIOError):  # those that have not been heard yet
            while True:
                self._note(peer(self._listening.accept()[0]))
        end_families(self._commands)
        for link, process in self._warm.values():
            link.close()
            process.terminate()  # heeded by those that still import
        for _, process in self._warm.values():
            process.wait()

    def _accept(self) -> None:
        connection, _ = self._listening.accept()
        with connection:
            connection.settimeout(REQUEST_TIMEOUT_S)
            process = peer(connection)
            if process and self._note(process):
                self._pass_on(connection)

    def _note(self, process: int | None) -> bool:
        """Keep in mind that a command runs; return False if it has ended already."""
        try:
            descriptor = os.pidfd_open(process or -1)
        except OSError:
            return False
        self._commands[descriptor] = process or -1
        self._selector.register(descriptor, selectors.EVENT_READ)
        return True

    def _pass_on(self, connection: socket.socket) -> None:
        """Pass a command on with its open files; closing the connection refuses it."""
        try:
            received = receive(connection, 3)
        except (OSError, ValueError, SyntaxError):
            return
        if received is None:
            return
        request, files = received
        try:
            link = self._link(request)
            if link is not None:
                loose = {k: v for k, v in request["environment"].items() if k in LOOSE}
                look_up = is_looked_up(request["argv"]) and not request["missed"]
                message = {"argv": request["argv"], "environment": loose, "look_up": look_up}
                send(link, message, [connection.fileno(), *files])
        except OSError:  # it has died, or cannot be started
            return
        finally:
            for file in files:
                os.close(file)

    def _link(self, request: dict[str, Any]) -> socket.socket | None:
        """Return the socket of the warm process that serves a command; None if none does."""
        kind = kind_of(request["argv"], request["missed"])
        on_one_core = {**request, "environment": {**request["environment"], **ON_ONE_CORE}}
        if is_looked_up(request["argv"]) and not request["missed"]:
            return self._warm_process("light", on_one_core)
        if request["argv"][1:2] == ["train"]:
            self._warm_process("tensorflow", on_one_core)  # for its recipes, while it trains
        one_core = request["environment"] == on_one_core["environment"]  # or numpy starts threads
        return self._warm_process(kind, request) if kind and one_core else None

    def _warm_process(self, kind: str, request: dict[str, Any]) -> socket.socket | None:
        """Return the socket of a warm process that begins as the command's own would."""
        if not KINDS[kind].suits(request["environment"]):
            return None
        environment = {k: v for k, v in request["environment"].items() if k not in LOOSE}
        own = {**request, "environment": environment, "argv": "", "missed": False}
        key = hashlib.sha256(json.dumps([kind, own], sort_keys=True).encode()).hexdigest()
        if key not in self._warm:
            if len(self._warm) == MOST_WARM:
                return None
            self._warm[key] = _warm_up(kind, own)
        return self._warm[key][0]


def _warm_up(kind: str, own: dict[str, Any]) -> tuple[socket.socket, "subprocess.Popen[bytes]"]:
    """Start a warm process that begins as the command's own would; return its socket too."""
    link, theirs = socket.socketpair()
    with theirs:
        process = start(
            "edgeflow.stepserver.warm",
            own["path"],
            kind,
            str(theirs.fileno()),
            own["version"],
            keep=(theirs.fileno(),),
            executable=own["executable"],
            cwd=own["cwd"],
            env=own["environment"],
            umask=own["umask"],
        )
    return link, process


def main(listening: str, alive: str, folder: str) -> None:
    """Serve on an inherited socket, and remove its folder in the end."""
    try:
        with socket.socket(fileno=int(listening)) as own:
            Server(own, int(alive)).serve()
    finally:
        shutil.rmtree(Path(folder), ignore_errors=True)
