"""Programs and files over one SSH connection: the only place that talks to devices."""

import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn, Self

from edgeflow.deploy.connect import open_connection
from edgeflow.deploy.inventory import Endpoint
from edgeflow.deploy.watchdog import Watchdog
from edgeflow.errors import DeployError, UnreachableError

if TYPE_CHECKING:
    from fabric import Connection
    from paramiko import SFTPFile

# One round trip each. A larger block is faster far away and stalls a slow link sooner.
_BLOCK_BYTES = 256 << 10
# How much longer than its own limit a program may keep the connection silent.
_GRACE_S = 15.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Completed:
    """What a program left; `exit_code` is -1 when a signal ended it."""

    stdout: str
    stderr: str
    exit_code: int


class Session:
    """An open connection to a device."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint

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

        try:
            self._connection.close()
        except (OSError, EOFError, SSHException):
            # It broke, and has not seen so yet. That must not hide the error that says why.
            self._connection.client.close()

    def run(self, argv: Sequence[str], timeout_s: float) -> Completed:
        """Run a program and wait for its end.

        Raises:
            DeployError: it did not end within `timeout_s`.
            UnreachableError: the connection was lost; the program may still run.
        """
        from invoke.exceptions import CommandTimedOut, ThreadException
        from paramiko import SSHException

        command = f"exec {shlex.join(argv)} < /dev/null"  # whoever reads would wait for ever
        deadline = time.monotonic() + timeout_s
        with Watchdog(timeout_s + _GRACE_S, self._connection.transport.close):
            try:
                result = self._connection.run(command, timeout=timeout_s)
            except CommandTimedOut:
                raise self._overdue(argv[0], timeout_s) from None
            except (SSHException, ThreadException, OSError, EOFError) as error:
                self._lost(f"running `{argv[0]}`", error)
        # invoke ends a program that takes too long, but does not always say that it did.
        if result.exited == -1 and time.monotonic() >= deadline:
            raise self._overdue(argv[0], timeout_s)
        if result.exited == -1 and not self._stays_alive():
            self._lost(f"running `{argv[0]}`", None)
        return Completed(stdout=result.stdout, stderr=result.stderr, exit_code=result.exited)

    def put(self, local: Path, remote: str) -> int:
        """Send a file and return its size in bytes; an older file of that name is replaced.

        Raises:
            DeployError: the device does not store it.
            UnreachableError: the connection was lost, or stood still for `timeout_s`.
        """
        from paramiko import SFTPError, SSHException

        total, sent = local.stat().st_size, 0

        def advance(count: int) -> None:
            nonlocal sent
            sent += count
            dog.touch()

        with self._stall_watchdog() as dog:
            try:
                with self._connection.sftp().file(remote, "wb") as target:
                    _send(local, target, advance)
                    sent = target.stat().st_size or 0
            except (OSError, EOFError, SSHException, SFTPError) as error:
                self._transfer_failed(f"sending {local.name}, {sent} of {total} bytes", error, dog)
        if sent != total:
            raise DeployError(
                f"device {self.endpoint.name} kept {sent} of {total} bytes of {local.name}",
                hint=f"is its disk full? {self.endpoint.shell_command('df -h')}",
            )
        return total

    def get(self, remote: str, local: Path) -> None:
        """Fetch a file.

        Raises:
            DeployError: the device does not give it.
            UnreachableError: the connection was lost, or stood still for `timeout_s`.
        """
        from paramiko import SFTPError, SSHException

        part = local.with_name(f".{local.name}.part")
        with self._stall_watchdog() as dog:
            try:
                self._connection.sftp().get(
                    remote, str(part), callback=lambda _done, _total: dog.touch()
                )
                part.replace(local)
            except (OSError, EOFError, SSHException, SFTPError) as error:
                part.unlink(missing_ok=True)
                self._transfer_failed(f"fetching {remote}", error, dog)

    def _stall_watchdog(self) -> Watchdog:
        return Watchdog(self.endpoint.timeout_s, self._connection.transport.close)

    def _overdue(self, program: str, timeout_s: float) -> DeployError:
        return DeployError(
            f"`{program}` on device {self.endpoint.name} did not end within {timeout_s:g} s",
            hint="raise run_timeout_s of the device in config.yaml, or look at its load",
        )

    def _stays_alive(self) -> bool:
        """Tell whether the connection outlives the program; its end may take a moment to show."""
        deadline = time.monotonic() + 0.5
        while time.monotonic() < deadline:
            if not self._connection.is_connected:
                return False
            time.sleep(0.02)
        return True

    def _transfer_failed(self, doing: str, error: Exception, dog: Watchdog) -> NoReturn:
        from paramiko import SSHException

        if dog.expired:
            self._lost(doing, TimeoutError(f"it stood still for {dog.limit_s:g} s"))
        broken = isinstance(error, (SSHException, EOFError)) or "closed" in str(error)
        if broken or not self._connection.is_connected:
            self._lost(doing, error)
        raise DeployError(
            f"device {self.endpoint.name} fails when {doing}: {error}",
            hint=f"is its disk full or read-only? {self.endpoint.shell_command('df -h')}",
        ) from error

    def _lost(self, doing: str, error: Exception | None) -> NoReturn:
        cause = str(error or "").strip(": ")
        why = f": {cause}" if cause else ""
        raise UnreachableError(
            f"lost the connection to device {self.endpoint.name} while {doing}{why}",
            hint="run the same command again once this answers: " + self.endpoint.shell_command(),
        ) from error


def _send(local: Path, target: "SFTPFile", advance: Callable[[int], None]) -> None:
    """Write in blocks whose last byte waits for the answers to all of the block.

    paramiko's own `put` never reads the answers to its last hundred writes: a full disk would
    look like success, and bytes in a buffer like progress.
    """
    with local.open("rb") as source:
        while block := source.read(_BLOCK_BYTES):
            target.set_pipelined(True)
            target.write(block[:-1])
            target.set_pipelined(False)
            target.write(block[-1:])
            advance(len(block))
