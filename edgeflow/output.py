"""What programs print: it goes to the step's log within bounds, and its end into messages."""

import subprocess
import threading
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from edgeflow.console import note
from edgeflow.text import clean

HEAD_CHARACTERS = 64 << 10
"""How much of a stream goes to the log while it comes."""
TAIL_CHARACTERS = 16 << 10
"""How much of its end follows where it is longer."""
_LINE_CHARACTERS = 4096
_MARK = "| "  # the words of others: never taken for edgeflow's own


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """How a program ended: exit code, negative for a signal, and the ends of what it printed."""

    exit_code: int
    stdout: str
    stderr: str


class Printed:
    """One stream of a program; of a long one, log and memory hold the start and the end."""

    def __init__(self) -> None:
        self._size = self._dropped = self._kept = 0
        self._last: deque[tuple[str, bool]] = deque()

    def listen(self, lines: Iterable[str]) -> None:
        """Take all lines of a stream, then write what is kept of its end."""
        for line in lines:
            self._take(line)
        if self._dropped:
            note(f"{_MARK}... {self._dropped:,} characters ...\n")
        note("".join(_marked(line) for line, told in self._last if not told))

    @property
    def end(self) -> str:
        """The end of the stream."""
        return "".join(line for line, _ in self._last)

    def _take(self, line: str) -> None:
        told = self._size < HEAD_CHARACTERS
        if told:
            note(_marked(line))
        self._size += len(line)
        self._last.append((line, told))
        self._kept += len(line)
        while self._kept > TAIL_CHARACTERS:
            old, known = self._last.popleft()
            self._kept -= len(old)
            self._dropped += 0 if known else len(old)


def run_logged(
    command: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Ended:
    """Run a program without input; what it prints goes to the step's log as it comes."""
    with subprocess.Popen(
        command,
        env=env,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as process:
        try:
            streams = [_listening(stream) for stream in (process.stdout, process.stderr) if stream]
            for _, thread in streams:
                thread.join()
            code = process.wait()
        except BaseException:
            process.kill()
            raise
    (stdout, _), (stderr, _) = streams
    return Ended(exit_code=code, stdout=stdout.end, stderr=stderr.end)


def log_printed(*texts: str) -> None:
    """Write to the step's log what a program printed elsewhere."""
    for text in texts:
        Printed().listen(text.splitlines(keepends=True))


def _listening(stream: IO[str]) -> tuple[Printed, threading.Thread]:
    printed = Printed()
    lines = iter(lambda: stream.readline(_LINE_CHARACTERS), "")
    thread = threading.Thread(target=printed.listen, args=(lines,), daemon=True)
    thread.start()
    return printed, thread


def _marked(line: str) -> str:
    return f"{_MARK}{clean(line).rstrip()}\n"
