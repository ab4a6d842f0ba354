"""A step's command hands its work to the step server, and ends as the step ends.

Standard library only. Until the server says that it has started the step, nothing has been done,
and the command goes on by itself.
"""

import os
import signal
import socket
import sys
from types import FrameType
from typing import Any, NoReturn

from edgeflow.stepserver.protocol import ADDRESS, OFF, is_ours, receive, send

_PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


def hand_over() -> None:
    """Let the project's step server run this command, and exit as it did.

    Returns where this process is to run the command itself: there is no server, it has another
    code or environment, or does not serve this command.
    """
    address = os.environ.get(ADDRESS, OFF)
    if address == OFF or sys.orig_argv[1:] != sys.argv:  # options of the interpreter
        return
    del os.environ[ADDRESS]  # a Snakemake that the command starts has one of its own
    connection = socket.socket(socket.AF_UNIX)
    try:
        started = _start(connection, address)
    except OSError:
        started = False
    if started:
        _attend(connection)
    connection.close()


def _start(connection: socket.socket, address: str) -> bool:
    """Return whether the server has started the step."""
    connection.connect(address)
    if not is_ours(connection):
        return False
    send(connection, _request(), [0, 1, 2])
    answer = receive(connection, 0)
    return answer is not None and "started" in answer[0]


def _request() -> dict[str, Any]:
    """Return all that a process of its own would begin with."""
    umask = os.umask(0o077)
    os.umask(umask)
    return {
        "argv": sys.argv,
        "environment": dict(os.environ),
        "cwd": os.getcwd(),  # noqa: PTH109  # pathlib costs more than all of this
        "umask": umask,
        "executable": sys.executable,
        "path": sys.path,
        "version": sys.version,
    }


def _attend(connection: socket.socket) -> NoReturn:
    """Pass signals on to the step until it has ended; end as it did."""

    def pass_on(number: int, _frame: FrameType | None) -> None:
        connection.send(bytes([number]))

    for number in _PASSED_ON:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, pass_on)
    try:
        answer = receive(connection, 0)
    except OSError:
        answer = None
    if answer is None:
        print("error: the step server was killed, and the step with it", file=sys.stderr)
        sys.exit(1)
    _end_as(int(answer[0]["ended"]))


def _end_as(status: int) -> NoReturn:
    """End with the exit code, or by the signal, of a process with this wait status."""
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the step left its own
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)
