"""A program with bounds on its time, its memory and its output, ended with all that it started."""

from __future__ import annotations

import contextlib
import os
import signal
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess
    from typing import IO, List

OUTPUT_MAX_BYTES = 1 << 20
LOOK_S = 0.05


class Ended:
    """What a program left.

    Attributes:
        code: its exit code, negative where a signal ended it.
        broke: which bound it broke, if any; then it was killed.
        peak_mb: the most resident memory that was seen of it, in MB of 1e6 bytes.
    """

    def __init__(self, code: int, broke: str | None, output: bytes, peak_mb: float) -> None:
        self.code = code
        self.broke = broke
        self.output = output
        self.peak_mb = peak_mb


def run_bounded(argv: List[str], folder: str, limit_s: float, max_rss_mb: float | None) -> Ended:
    """Run a program in a process group of its own; whatever is left of that is killed at its end.

    Args:
        argv: the program with its arguments.
        folder: where it runs.
        limit_s: how long it may take, by the monotonic clock.
        max_rss_mb: how much resident memory it may use, in MB of 1e6 bytes.
    """
    import subprocess

    pipe, null = subprocess.PIPE, subprocess.DEVNULL
    child = subprocess.Popen(
        argv, cwd=folder, stdin=null, stdout=pipe, stderr=subprocess.STDOUT, start_new_session=True
    )
    reader: IO[bytes] = child.stdout  # type: ignore[assignment]
    with reader:
        os.set_blocking(reader.fileno(), False)
        try:
            broke, output, peak_mb = watch(child, reader, limit_s, max_rss_mb)
        finally:
            # Not reaped yet, so the number is still its own.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            code = child.wait()
        return Ended(code, broke, output + read(reader), peak_mb)


def watch(
    child: subprocess.Popen[bytes], reader: IO[bytes], limit_s: float, max_rss_mb: float | None
) -> tuple[str | None, bytes, float]:
    """Wait for a child's end, or the first bound that it breaks."""
    output, peak_mb, deadline = b"", 0.0, time.monotonic() + limit_s
    while not os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG):
        output += read(reader)
        peak_mb = max(peak_mb, peak_rss_mb(child.pid))
        if max_rss_mb is not None and peak_mb > max_rss_mb:
            return f"more than {max_rss_mb:g} MB of memory", output, peak_mb
        if len(output) > OUTPUT_MAX_BYTES:
            return f"more than {OUTPUT_MAX_BYTES} bytes of output", output, peak_mb
        if time.monotonic() >= deadline:
            return f"more than {limit_s:g} s", output, peak_mb
        time.sleep(LOOK_S)
    return None, output, peak_mb


def read(reader: IO[bytes]) -> bytes:
    """Return what a program has printed since; what it started may print on."""
    try:
        return os.read(reader.fileno(), OUTPUT_MAX_BYTES)
    except BlockingIOError:
        return b""


def peak_rss_mb(pid: int) -> float:
    """Return a process' peak of resident memory; 0 where the system does not tell, or it ended."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/status") as file:
        for line in file:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    return 0.0
