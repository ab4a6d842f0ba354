"""Ends processes together with all that they have started."""

import contextlib
import os
import signal
from collections.abc import Iterator, Mapping

GRACE_S = 5.0
"""How long a process may take to end before it is killed."""


def end_families(commands: Mapping[int, int]) -> None:
    """End commands, and all processes that they have started; return when they have ended.

    Args:
        commands: their process ids, by descriptors of them.
    """
    import psutil

    found: list[psutil.Process] = []
    for descriptor, number in commands.items():
        with contextlib.suppress(psutil.NoSuchProcess):
            command = psutil.Process(number)
            if not _has_ended(descriptor):  # so that the number is not another's by now
                found += [command, *command.children(recursive=True)]
    for process in found:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    for process in psutil.wait_procs(found, GRACE_S)[1]:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(found, GRACE_S)


def end_jobs() -> None:
    """Ask what this process has started to end, but for what is in another session.

    The step server is; it ends after this process, and its steps with their commands.
    """
    for number in _in_this_session():
        with contextlib.suppress(ProcessLookupError):
            os.kill(number, signal.SIGTERM)


def _in_this_session() -> Iterator[int]:
    import psutil

    session = os.getsid(0)
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(ProcessLookupError):
            if os.getsid(process.pid) == session:
                yield process.pid


def _has_ended(descriptor: int) -> bool:
    try:
        signal.pidfd_send_signal(descriptor, 0)
    except ProcessLookupError:
        return True
    return False
