"""A step's command hands its work to the step server, and ends as the step ends.

Until the server says that it has started the step, nothing has been done, and the command goes on
by itself. Each step runs this, so it imports what is in every Python already, or is written in C:
`socket`, `signal` and `json` would take twice as long as all else.
"""

import _signal  # type: ignore[import-not-found]  # the types know `signal` alone
import _socket
import os
import sys
from array import array

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import NoReturn

ADDRESS = "EDGEFLOW_STEP_SERVER"
"""Variable with the path of the server's socket, for Snakemake's jobs; `off` for no server."""
OFF = "off"
HEAD_BYTES = 4
STARTED, ENDED, MISSED = b"started", b"ended", b"missed"
_PASSED_ON = (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP, _signal.SIGQUIT)


def hand_over() -> None:
    """Let the project's step server run this command, and exit as it did.

    Returns where this process is to run the command itself: there is no server, it has another
    code or environment, or does not serve this command.
    """
    _compute_on_one_core()
    address = os.environ.get(ADDRESS, OFF)
    if address == OFF or sys.orig_argv[1:] != sys.argv:  # options of the interpreter
        return
    del os.environ[ADDRESS]  # a Snakemake that the command starts has one of its own
    if _is_missed(address, missed=False):
        _is_missed(address, missed=True)


def _is_missed(address: str, missed: bool) -> bool:
    """Let the server run this command, and exit; return where it does not.

    Args:
        address: of the server.
        missed: whether the store has not what the command makes, as the server found before.

    Returns:
        Whether the server has found that just now.
    """
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    answers = _lines(connection)
    try:
        started = _request(connection, address, missed) and next(answers, b"") == STARTED
    except OSError:
        started = False
    found = started and _attend(connection, answers)
    connection.close()
    return found


def _compute_on_one_core() -> None:
    """Let libraries compute on one core, not on all, where Snakemake reserves none for a job."""
    for name in os.environ:
        if name.endswith("_THREADS") and os.environ[name] == "0":
            os.environ[name] = "1"


def _request(connection: _socket.socket, address: str, missed: bool) -> bool:
    """Send what the command is, with its open files; return whether the server is this user's."""
    connection.connect(address)
    credentials = connection.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 12)
    if int.from_bytes(credentials[4:8], sys.byteorder) != os.getuid():
        return False
    data = repr({**_beginning(), "missed": missed}).encode("utf-8", "surrogatepass")
    files = (_socket.SOL_SOCKET, _socket.SCM_RIGHTS, array("i", (0, 1, 2)))
    connection.sendmsg([len(data).to_bytes(HEAD_BYTES, "big")], [files])
    connection.sendall(data)
    return True


def _beginning() -> dict[str, object]:
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


def _lines(connection: _socket.socket) -> "Iterator[bytes]":
    """Yield what the server says, line by line."""
    text = b""
    while block := connection.recv(64):
        *lines, text = (text + block).split(b"\n")
        yield from lines


def _attend(connection: _socket.socket, answers: "Iterator[bytes]") -> bool:
    """Pass signals on to the step until it has ended; end as it did.

    Returns:
        True, where it ended before it did anything: the store has not what it makes.
    """

    def pass_on(number: int, _frame: object) -> None:
        connection.send(bytes([number]))

    before = {number: _signal.getsignal(number) for number in _PASSED_ON}
    for number, handler in before.items():
        if handler != _signal.SIG_IGN:
            _signal.signal(number, pass_on)
    try:
        word, _, status = next(answers, b"").partition(b" ")
    except OSError:
        word, status = b"", b""
    if word == ENDED:
        _end_as(int(status))
    if word != MISSED:
        print("error: the step server was killed, and the step with it", file=sys.stderr)
        sys.exit(1)
    for number, handler in before.items():
        _signal.signal(number, handler)
    return True


def _end_as(status: int) -> "NoReturn":
    """End with the exit code, or by the signal, of a process with this wait status."""
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the step left its own
        if -code != _signal.SIGKILL:
            _signal.signal(-code, _signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)
