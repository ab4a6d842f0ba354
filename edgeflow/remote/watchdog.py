"""A deadline that moves with every sign of life."""

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self


class Watchdog:
    """Calls `expire` once, from its own thread, when `limit_s` pass without `touch()`.

    An SSH connection to a frozen device blocks for ever: its kernel still acknowledges, so
    no socket option helps. Closing the transport from another thread does.
    """

    def __init__(self, limit_s: float, expire: Callable[[], None]) -> None:
        self.limit_s = limit_s
        self.expired = False
        self._expire = expire
        self._seen = time.monotonic()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        self._thread.join()

    def touch(self) -> None:
        """Start the wait again."""
        self._seen = time.monotonic()

    def _watch(self) -> None:
        while not self._done.wait(max(0.0, self._left_s())):
            if self._left_s() <= 0:
                self.expired = True
                self._expire()
                return

    def _left_s(self) -> float:
        return self._seen + self.limit_s - time.monotonic()
