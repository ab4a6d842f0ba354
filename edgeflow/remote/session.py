"""Programs and files over one SSH connection: the only place that talks to devices.

It needs a shell and Python on the device, and one channel at a time; no SFTP.
"""

import math
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn, Self

from edgeflow.artifact.hashing import sha256_file
from edgeflow.errors import DeployError, UnreachableError
from edgeflow.remote.answer import malformed
from edgeflow.remote.channel import TEXT, EndedError, Program, RefusedError, Size, program_path
from edgeflow.remote.connect import open_connection
from edgeflow.remote.diagnose import killed, no_session, not_started, refused, too_old
from edgeflow.remote.inventory import Endpoint
from edgeflow.remote.upload import Upload
from edgeflow.remote.watchdog import Watchdog

if TYPE_CHECKING:
    from fabric import Connection
    from paramiko import Channel

START_S = 30.0
"""How long a login and a Python may take to start, beside the wait for the connection."""
OUTPUT_MAX_BYTES = 32 << 20
INTERPRETER = "-"
"""As a program to run: the device's Python itself."""
OLDEST_PYTHON = (3, 7)
_BLOCK_BYTES = 256 << 10
# How much longer than its own limit a program may keep the connection silent.
_GRACE_S = 15.0
# A server that allows one session at a time may still be closing the last one.
_REOPEN_S = 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Completed:
    """What a program left; `exit_code` is negative where a signal ended it."""

    stdout: str
    stderr: str
    exit_code: int


class Session:
    """An open connection to a device.

    Attributes:
        home: folder where programs start, absolute; known once the first one has run.
        python: path of the interpreter there; known then too.
        asked: whether the device has no copy of what sessions run there, and is sent it each time.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.home = self.python = ""
        self.asked = False
        self._stored = program_path(endpoint.path)

    def __enter__(self) -> Self:
        self._connection: Connection = open_connection(self.endpoint)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        from paramiko import SSHException

        for connection in (self._connection, self._connection.gateway):
            try:
                if connection is not None:
                    connection.close()
            except (OSError, EOFError, SSHException):
                # It broke, and has not seen so yet. That must not hide the error that says why.
                connection.client.close()

    def run(self, argv: Sequence[str], timeout_s: float, folder: str = "") -> Completed:
        """Run a program in a folder (or the account's home) and wait for its end.

        `INTERPRETER` as its first word is the Python that runs there. It gets no input. After
        `timeout_s`, or when the connection is lost, the device ends it with its whole process
        group.

        Raises:
            DeployError: it did not end within `timeout_s`, or printed without end.
            UnreachableError: the connection was lost.
        """
        verb = ("run", str(timeout_s), folder, *argv)
        with self._program(lambda: f"running `{argv[0]}`", verb, timeout_s + _GRACE_S) as (
            program,
            _,
        ):
            try:
                printed, end = program.output(OUTPUT_MAX_BYTES)
            except RefusedError as error:
                return Completed(stdout="", stderr=f"{argv[0]}: {error}", exit_code=127)
            errors = program.errors()
        if end.end != "exit":
            raise DeployError(
                f"`{argv[0]}` on {self.endpoint.title} did not end within {timeout_s:g} s; the "
                "device ended it, with all that it had started",
                hint=f"raise `run_timeout_s` of {self.endpoint.title}, or look at its load",
            )
        text = printed.decode("utf-8", "replace")
        return Completed(stdout=text, stderr=errors, exit_code=end.code)

    def put(self, local: Path, remote: str, part: str | None = None) -> int:
        """Send a file and return how many bytes that took; the device hashes all of it.

        A transfer that was cut goes on where it ended.

        Args:
            local: the file.
            remote: its path on the device, where an older file of that name is replaced; nothing is
                sent if it is there already.
            part: what it is called until all of it is there; by default `remote` and ``.part``. If
                that is `remote` too, somebody else judges it: it stays whatever came of it.

        Raises:
            DeployError: the device does not store it.
            UnreachableError: the connection was lost, or stood still for `timeout_s`.
        """
        upload, part = Upload(local), part or f"{remote}.part"
        # Hashing takes as long as a fast link: where nothing needs it first, it is done on the way.
        sha256 = "" if part == remote else sha256_file(local)
        if self._receive(upload, part, remote, sha256) != (sha256 or upload.sha256):
            raise DeployError(
                f"{self.endpoint.title} kept other bytes of {local.name} than it was sent",
                hint="run the same command again; if it stays, check the device's storage",
            )
        return upload.sent

    def store_program(self) -> None:
        """Leave the session's own program on the device, so that later ones need not be sent it.

        Raises:
            DeployError: the device does not store it.
            UnreachableError: the connection was lost.
        """
        with tempfile.TemporaryDirectory() as scratch:
            program = Path(scratch) / "session.py"
            program.write_bytes(TEXT)
            self.put(program, self._stored, f"{self._stored}.{secrets.token_hex(8)}.part")
        self.asked = False

    def _receive(self, upload: Upload, part: str, remote: str, sha256: str) -> str:
        """Let the device receive a file; of a lost connection before it may not know yet."""
        idle_s = math.ceil(2 * self.endpoint.timeout_s)
        verb = ("receive", part, remote, str(upload.size), sha256, str(idle_s))
        deadline = time.monotonic() + idle_s + 1
        while True:
            try:
                with self._program(upload.doing, verb, self.endpoint.timeout_s) as (program, dog):
                    return upload.run(program, dog)
            except RefusedError as error:
                if error.code != "EAGAIN" or time.monotonic() >= deadline:
                    raise refused(self.endpoint, upload.doing(), error) from error
                time.sleep(0.2)

    def get(self, remote: str, local: Path, max_bytes: int) -> None:
        """Fetch a file of at most `max_bytes`.

        Raises:
            DeployError: the device does not give it, or it is larger.
            UnreachableError: the connection was lost, or stood still for `timeout_s`.
        """
        part, doing = local.with_name(f".{local.name}.part"), f"fetching {remote}"
        verb = ("send", remote, str(max_bytes))
        try:
            with self._program(lambda: doing, verb, self.endpoint.timeout_s) as (program, dog):
                try:
                    size = program.message(Size).size
                except RefusedError as error:
                    raise refused(self.endpoint, doing, error) from error
                if size > max_bytes:
                    raise malformed(self.endpoint.title, "the session's program", "a larger file")
                with part.open("wb") as file:
                    while (left := size - file.tell()) > 0:
                        file.write(program.read(min(left, _BLOCK_BYTES)))
                        dog.touch()
            part.replace(local)
        finally:
            part.unlink(missing_ok=True)

    @contextmanager
    def _program(
        self, doing: Callable[[], str], verb: Sequence[str], limit_s: float
    ) -> Iterator[tuple[Program, Watchdog]]:
        """Start a verb on the device, and end it with the block.

        Args:
            doing: what a failure is said to have interrupted.
            verb: the verb with its arguments.
            limit_s: longest time without a `touch` of the watchdog.
        """
        from paramiko import SSHException

        dog = Watchdog(START_S + self.endpoint.timeout_s, self._connection.transport.close)
        try:
            with dog:
                where = self.endpoint
                program = Program(
                    self._open(),
                    where.title,
                    where.python,
                    verb,
                    where.own_python,
                    None if self.asked else self._stored,
                )
                self._welcome(program, dog)
            dog = Watchdog(limit_s, self._connection.transport.close)
            with dog:
                try:
                    yield program, dog
                finally:
                    program.close()  # before the next one opens: a server may allow only one
        except (SSHException, OSError, EOFError) as error:
            if isinstance(error, OSError) and error.errno and self._connection.is_connected:
                raise  # of a file on this machine: paramiko's own have no number
            if isinstance(error, EndedError) and self._stays_alive():
                raise killed(self.endpoint, doing()) from error
            self._lost(doing(), error, dog)

    def _open(self) -> "Channel":
        from paramiko import ChannelException

        deadline = time.monotonic() + _REOPEN_S
        while True:
            try:
                channel: Channel = self._connection.transport.open_session()
                return channel
            except ChannelException as error:
                if time.monotonic() >= deadline:
                    raise no_session(self.endpoint, error) from error
                time.sleep(0.05)

    def _welcome(self, program: Program, dog: Watchdog) -> None:
        try:
            ready = program.start()
        except EndedError:
            if dog.expired:
                raise UnreachableError(
                    f"{self.endpoint.title} lets {self.endpoint.user} log in, but starts no "
                    f"program within {dog.limit_s:g} s",
                    hint="a login script there may wait for something; this must end at once: "
                    + self.endpoint.shell_command(),
                ) from None
            if not self._connection.is_connected:
                raise
            raise not_started(self.endpoint, program, self._open) from None
        if ready.version < OLDEST_PYTHON:
            raise too_old(self.endpoint, ".".join(map(str, ready.version)))
        self.home, self.python = ready.home, ready.python
        self.asked = self.asked or program.asked

    def _stays_alive(self) -> bool:
        """Tell whether the connection outlives the program; its end may take a moment to show."""
        deadline = time.monotonic() + 0.5
        while time.monotonic() < deadline:
            if not self._connection.is_connected:
                return False
            time.sleep(0.02)
        return True

    def _lost(self, doing: str, error: Exception, dog: Watchdog) -> NoReturn:
        # What broke the connection, where that was before the failure that shows it.
        first = self._connection.transport.saved_exception or error
        cause = f"it stood still for {dog.limit_s:g} s" if dog.expired else str(first).strip(": ")
        why = f": {cause}" if cause else ""
        raise UnreachableError(
            f"lost the connection to {self.endpoint.title} while {doing}{why}",
            hint="run the same command again once this answers: " + self.endpoint.shell_command(),
        ) from error
