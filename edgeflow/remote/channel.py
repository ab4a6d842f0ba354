"""One program on the other end of an SSH channel, and the messages between it and us."""

import contextlib
import hashlib
import inspect
import posixpath
import secrets
import shlex
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, TypeVar

from pydantic import BaseModel, Field

from edgeflow.ondevice import session
from edgeflow.remote.answer import Answer, Count, Sha256, Words, malformed, parse

if TYPE_CHECKING:
    from paramiko import Channel

M = TypeVar("M", bound=BaseModel)
AbsolutePath = Annotated[str, Field(max_length=4096, pattern=r"^/[^\x00]*$")]

_START = "import sys;exec(eval(sys.stdin.buffer.readline()))"
_EITHER = 'p=$1; [ -x "$0" ] && p=$0; shift; exec "$p" "$@"'
"""For a shell: start the program named first if it is there, else the second."""
TEXT = inspect.getsource(session).encode()
"""What runs on the device."""
SHA256 = hashlib.sha256(TEXT).hexdigest()
SOURCE = ascii(TEXT.decode()).encode() + b"\n"
"""The same, as the one line that it is handed over in."""
_ASK = b"{}\n"
NOISE_MAX_BYTES = 1 << 20
"""What login scripts may print."""
_LINE_MAX_BYTES = 4096
_ERRORS_MAX_BYTES = 64 << 10
_READ_BYTES = 256 << 10
_MOMENT_S = 0.2


def program_path(folder: str) -> str:
    """Return where what runs on a device lies, in the folder that edgeflow owns there."""
    return posixpath.join(folder, "bin", f"session-{SHA256}.py")


def stored_source(path: str) -> bytes:
    """Return the line that takes the program from a file, if its digest is right, or asks for it.

    It is an expression, as `SOURCE` is. What it then takes is `SOURCE` and nothing else.
    """
    file = "open(p,'rb').read()if i('os').path.isfile(p)else b''"
    line = "i('ast').literal_eval(sys.stdin.buffer.readline().decode()).encode()"
    ask = f"(print(sys.argv[1],'{{}}',flush=True),{line})[1]"
    right = "i('hashlib').sha256(s).hexdigest()==p[-67:-3]"
    first = f"next(s for f in(lambda:{file},lambda:{ask})for s in(f(),)if {right})"
    return f"(lambda p,i:{first})({path!a},__import__)\n".encode()


class Ready(Answer):
    """The device's Python runs.

    Attributes:
        home: folder where programs start.
        python: its own path.
    """

    version: tuple[int, int, int]
    home: AbsolutePath
    python: AbsolutePath


class End(Answer):
    """How a program ended; `code` is negative where a signal ended it."""

    end: str
    code: int


class Receipt(Answer):
    """How far an upload is: bytes of an earlier one, bytes there, bytes hashed, its end."""

    have: Count = 0
    sha256: Sha256 | None = None
    at: Count | None = None
    hashed: Count | None = None
    stored: Sha256 | None = None


class Size(Answer):
    """Size in bytes of the file that follows."""

    size: Count


class Failed(Answer):
    """The operating system's refusal: the name of an errno, and its text."""

    failed: Words
    detail: Words


class RefusedError(Exception):
    """The device's operating system refuses what was asked."""

    def __init__(self, failed: Failed) -> None:
        super().__init__(failed.detail)
        self.code = failed.failed


class EndedError(EOFError):
    """The program ended, or the connection, before it said all that it has to say."""


class Program:
    """A verb of `edgeflow.ondevice.session`, at work on a device.

    Args:
        channel: an open SSH channel, on which nothing runs yet.
        device: what messages call it, as in ``device kitchen``.
        python: the interpreter on the device.
        arguments: the verb and what belongs to it.
        rather: interpreter that is started instead if the device has it.
        stored: file there that may hold what runs, which is sent only if it does not.

    Attributes:
        asked: whether the device asked for what runs.
    """

    def __init__(
        self,
        channel: "Channel",
        device: str,
        python: str,
        arguments: Sequence[str],
        rather: str = "",
        stored: str | None = None,
    ) -> None:
        self.asked = False
        self._start = SOURCE if stored is None else stored_source(stored)
        self._channel, self._device = channel, device
        self._nonce = secrets.token_hex(16)
        self._buffer = bytearray()
        self._errors = bytearray()
        self._reader = threading.Thread(target=self._read_errors, daemon=True)
        command = [python, "-I", "-S", "-c", _START, self._nonce, *arguments]
        if rather:
            command = ["sh", "-c", _EITHER, rather, *command]
        # `exec`: the shell must not stay between the server and the program.
        self._channel.exec_command(f"exec {shlex.join(command)}")
        self._reader.start()

    def start(self) -> Ready:
        """Hand over the program; return once it runs.

        Raises:
            EndedError: it does not, and `noise` says what came instead.
        """
        self._hand_over(self._start)
        if self._start != SOURCE and self._buffer.startswith(self._nonce.encode() + b" " + _ASK):
            self.asked = True
            del self._buffer[: self._buffer.index(b"\n") + 1]
            self._hand_over(SOURCE)
        return self.message(Ready)

    def _hand_over(self, line: bytes) -> None:
        """Send the program, or how to get it; return when the device has said a line."""
        with contextlib.suppress(OSError):  # it has ended; what it said is still to be read
            self.send(line)
        # A login script may print the command, and the nonce with it.
        self._skip_to(f"{self._nonce} {{".encode(), NOISE_MAX_BYTES)
        self._need_line()

    @property
    def noise(self) -> str:
        """What came that nobody asked for, and what was said on standard error."""
        return self._buffer.decode("utf-8", "replace") + self.errors()

    def errors(self) -> str:
        """Return the end of what was said on standard error."""
        self._reader.join(timeout=1)
        return self._errors.decode("utf-8", "replace")

    def message(self, kind: type[M]) -> M:
        """Return the next message.

        Raises:
            RefusedError: the operating system refuses.
            MalformedError: it is another message than the one expected.
        """
        line = self._line()
        head, _, text = line.partition(b" ")
        if head != self._nonce.encode():
            raise malformed(self._device, "the session's program", "a line without its mark")
        if text.startswith(b'{"detail"'):
            raise RefusedError(self._parse(Failed, text))
        return self._parse(kind, text)

    def output(self, limit: int) -> tuple[bytes, End]:
        """Return what the program printed, and how it ended.

        Raises:
            EndedError: the connection ended first.
            MalformedError: it printed more than `limit` bytes.
        """
        # Not to the end of the stream: what left the program's group may hold it open for ever.
        while not self._ends() and self._more():
            if len(self._buffer) > limit:
                raise malformed(self._device, "the program", f"more than {limit} bytes of output")
        printed, mark, text = bytes(self._buffer).rpartition(self._nonce.encode() + b" ")
        if not mark:
            raise EndedError
        if text.startswith(b'{"detail"'):
            raise RefusedError(self._parse(Failed, text))
        return printed, self._parse(End, text)

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes; raise EndedError where none are left."""
        if not self._buffer and not self._more():
            raise EndedError
        block = bytes(self._buffer[:size])
        del self._buffer[:size]
        return block

    def send(self, data: bytes) -> None:
        """Send bytes to the program's standard input."""
        self._channel.sendall(data)

    def send_some(self, data: bytes) -> int:
        """Send what there is room for on the way, within a moment; return how many bytes."""
        self._channel.settimeout(_MOMENT_S)
        try:
            return self._channel.send(data)
        except TimeoutError:
            return 0
        finally:
            self._channel.settimeout(None)

    def exit_code(self) -> int:
        """Return the exit code of whatever ran; -1 if a signal or the connection ended it."""
        return self._channel.recv_exit_status()

    def close(self) -> None:
        """End the channel; the device notices, if the connection stands."""
        from paramiko import SSHException

        with contextlib.suppress(SSHException, OSError, EOFError):
            self._channel.close()

    def _parse(self, kind: type[M], text: bytes) -> M:
        return parse(kind, text, device=self._device, program="the session's program")

    def has_message(self) -> bool:
        """Tell whether a message can be read without a wait."""
        while b"\n" not in self._buffer and self._channel.recv_ready():
            self._more()
        return b"\n" in self._buffer

    def _ends(self) -> bool:
        end = self._buffer[-_LINE_MAX_BYTES:]
        return end.endswith(b"\n") and self._nonce.encode() in end

    def _need_line(self) -> int:
        """Wait for a line; return where it ends."""
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > _LINE_MAX_BYTES:
                raise malformed(self._device, "the session's program", "a line without an end")
            if not self._more():
                raise EndedError
        return end

    def _line(self) -> bytes:
        end = self._need_line()
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line

    def _skip_to(self, mark: bytes, limit: int) -> None:
        start = 0
        while (at := self._buffer.find(mark, start)) < 0:
            start = max(0, len(self._buffer) - len(mark))
            if len(self._buffer) > limit:
                raise malformed(self._device, "a login script", f"more than {limit} bytes")
            if not self._more():
                raise EndedError
        del self._buffer[:at]

    def _more(self) -> bool:
        block = self._channel.recv(_READ_BYTES)
        self._buffer += block
        return bool(block)

    def _read_errors(self) -> None:
        while block := self._channel.recv_stderr(_READ_BYTES):
            self._errors += block
            del self._errors[:-_ERRORS_MAX_BYTES]
