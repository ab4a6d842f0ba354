"""The lock that one verb at a time holds while it changes a folder."""

from __future__ import annotations

import contextlib
import fcntl
import os

from .answer import Refused
from .folders import set_aside

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def locked(folder: str, owner: str) -> Iterator[None]:
    """Hold the folder's lock; refuse at once if another process has it."""
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "lock")
    if os.path.lexists(path) and not os.path.isfile(path):
        set_aside(path)
    with open(path, "a+", errors="replace") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise Refused("locked", "held by {}".format(file.read() or "?")) from None
        file.truncate(0)
        file.write(f"{owner} (pid {os.getpid()})")
        file.flush()
        yield
