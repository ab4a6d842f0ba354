"""The worker of a release, as the service sees it: a process with the model loaded.

Standard library only; Python 3.7 or newer; imports nothing of edgeflow.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import Any

if __package__:
    from . import service_frames as frames  # noqa: TID252  # what is shipped names no package
else:  # in a bundle, whose modules lie side by side
    import service_frames as frames  # type: ignore[import-not-found,no-redef]

START_S = 600.0
"""Longest time for a model to load: some engines compile it first."""
END_S = 5.0
WORDS_BYTES = 1000
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Worker:
    """A process that serves one release; each request is sent and answered before the next.

    Attributes:
        release: the SHA-256 that names it.
        facts: what it said once it was warm: model, labels, engine and more; None before.
        fault: why it was ended, if it was.
    """

    def __init__(self, model_dir: str, release: str, options: dict[str, Any]) -> None:
        self.release = release
        self.facts: dict[str, Any] | None = None
        self.fault: str | None = None
        self._deadline = time.monotonic() + START_S
        self._words = bytearray()
        self._channel, theirs = socket.socketpair()
        program = os.path.join(model_dir, "releases", release, "service_worker.py")
        asked = json.dumps({"model_dir": model_dir, **options})
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-B", program, asked],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        """Pass on what the worker prints, and remember its last words."""
        errors: Any = self._process.stderr
        for line in iter(lambda: errors.readline(WORDS_BYTES), b""):
            self._words = (self._words + line)[-WORDS_BYTES:]
            with contextlib.suppress(OSError):
                os.write(2, line)

    def become_ready(self) -> bool:
        """Return whether it is warm by now; never waits.

        Raises:
            RuntimeError: it is not going to be, and why.
        """
        if not select.select([self._channel], [], [], 0)[0]:
            if time.monotonic() > self._deadline:
                raise RuntimeError("the model did not load within %g s" % START_S)
            return False
        try:
            hello, _ = frames.receive(self._channel, time.monotonic() + END_S)
        except (OSError, EOFError, ValueError):
            raise RuntimeError(self.why()) from None
        if hello.get("error") is not None:
            kind = HardwareError if hello.get("hardware") else RuntimeError
            raise kind(hello["error"])
        if hello.get("protocol") != frames.PROTOCOL:
            raise RuntimeError("its worker speaks another protocol: restart the service")
        self.facts = hello
        return True

    def ask(self, header: dict[str, Any], body: bytes, limit_s: float) -> Any:
        """Return its answer to one request, header and body.

        Raises:
            socket.timeout: there is none within `limit_s`.
            OSError, EOFError, ValueError: it died, or answers nonsense.
        """
        deadline = time.monotonic() + limit_s
        self._channel.settimeout(limit_s)
        frames.send(self._channel, header, body)
        return frames.receive(self._channel, deadline)

    def alive(self) -> bool:
        """Return whether the process runs."""
        return self._process.poll() is None

    def rss_mb(self) -> float:
        """Return its resident memory in MB of 1e6 bytes; 0 once it has ended."""
        try:
            with open("/proc/%d/statm" % self._process.pid) as file:
                return int(file.read().split()[1]) * PAGE_BYTES / 1e6
        except (OSError, IndexError, ValueError):
            return 0.0

    def why(self) -> str:
        """Return why it was ended; or how it ended by itself, and the last of what it printed."""
        if self.fault is not None:
            return self.fault
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(END_S)
        self._listener.join(END_S)
        code = self._process.returncode
        how = "killed by signal %d" % -code if code and code < 0 else "exit code %s" % code
        text = bytes(self._words).decode("utf-8", "replace").strip().rpartition("\n")[2]
        return "the worker ended (%s)%s" % (how, ": " + text if text else "")

    def end(self) -> None:
        """Let it end by itself, then by force; what it started ends with it."""
        with contextlib.suppress(OSError):
            self._channel.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(END_S)
        self.kill()

    def kill(self) -> None:
        """End it with all that it started."""
        with contextlib.suppress(OSError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        # Not closed: another thread may wait for an answer.
        with contextlib.suppress(OSError):
            self._channel.shutdown(socket.SHUT_RDWR)


class HardwareError(RuntimeError):
    """The board or stick is not there, or another process has it."""
