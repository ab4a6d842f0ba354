"""Several devices at a time: a slow one takes one thread, and holds up no other."""

import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")
_JOIN_S = 0.5
"""How long a signal may have to wait for the main thread."""


def for_each(
    items: Collection[T],
    work: Callable[[T], None],
    connections: int,
    proceed: Callable[[], bool] = lambda: True,
) -> None:
    """Work on items in their order, `connections` at a time; return when all have ended.

    Args:
        work: what is done with each; if it raises, no other is begun and that is raised here.
        proceed: asked before each item whether to begin it; after a no none is begun.
    """
    hand_out = _HandOut(items, proceed)

    def run() -> None:
        try:
            for item in hand_out:
                work(item)
        except BaseException as error:
            hand_out.failures.append(error)

    # Daemons: what hangs must not keep a process that was told twice to end.
    threads = [
        threading.Thread(target=run, daemon=True) for _ in range(min(connections, len(items)))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():
            thread.join(_JOIN_S)
    if hand_out.failures:
        raise hand_out.failures[0]


class _HandOut(Generic[T]):
    """Gives threads one item after another, until they are to take no more."""

    def __init__(self, items: Iterable[T], proceed: Callable[[], bool]) -> None:
        self._lock, self._left, self._proceed = threading.Lock(), iter(items), proceed
        self.failures: list[BaseException] = []

    def __iter__(self) -> Iterator[T]:
        """Take items until there are none, from this thread."""
        while True:
            with self._lock:
                if self.failures or not self._proceed():
                    return
                try:
                    item = next(self._left)
                except StopIteration:
                    return
            yield item
