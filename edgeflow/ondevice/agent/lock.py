"""The lock that one verb at a time holds while it changes a folder."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os

from .answer import Refused
from .files import unblocked
from .folders import set_aside

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO, Any

LOCK = "lock"


@contextlib.contextmanager
def locked(folder: str, owner: str) -> Iterator[None]:
    """Hold the folder's lock; refuse at once if another process has it."""
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, LOCK)
    if os.path.islink(path) or (os.path.lexists(path) and not os.path.isfile(path)):
        set_aside(path)
    try:
        file = open(path, "a+", errors="replace", opener=unblocked)  # noqa: SIM115 # it is closed below
    except FileNotFoundError:
        raise removed() from None
    with file:
        take(file)
        if not is_at(file, path):
            raise removed()
        file.truncate(0)
        file.write(f"{owner} (pid {os.getpid()})")
        file.flush()
        yield


def take(file: IO[str]) -> None:
    """Take the lock of an open file, or say who has it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        raise Refused("locked", "held by {}".format(file.read() or "?")) from None


def is_at(file: IO[Any], path: str) -> bool:
    """Tell whether an open file still has its name."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False


def removed() -> Refused:
    """Return the refusal of a folder that goes away as we come; the next try finds none."""
    return Refused("locked", "the folder is being removed")


def remove_locked(folder: str) -> None:
    """Remove a folder of which the lock is left, and held: it goes with the folder."""
    os.unlink(os.path.join(folder, LOCK))
    try:
        os.rmdir(folder)
    except OSError as error:  # another verb has a lock of its own in it by now
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
