"""Requests to end, by signals: what has begun at a device is finished first."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def told_to_end() -> Iterator[Callable[[], bool]]:
    """Yield a function that tells whether a signal has asked to end.

    A second Ctrl-C does not wait: it is a KeyboardInterrupt. One alone may bring two signals, as
    Snakemake sends its jobs another one.
    """
    came: list[int] = []  # no `threading.Event`: a handler may interrupt its own

    def note(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT and number in came:
            raise KeyboardInterrupt
        came.append(number)

    if threading.current_thread() is not threading.main_thread():
        yield lambda: bool(came)
        return
    before = {number: signal.getsignal(number) for number in _ENDING}
    before = {number: old for number, old in before.items() if old is not signal.SIG_IGN}
    for number in before:
        signal.signal(number, note)
    try:
        yield lambda: bool(came)
    finally:
        for number, old in before.items():
            signal.signal(number, old)
