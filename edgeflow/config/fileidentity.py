"""What tells one version of a file from another without reading it."""

from pathlib import Path
from typing import NamedTuple


class Identity(NamedTuple):
    """A file as its folder describes it: no tool that writes or moves it can keep all of these."""

    path: Path
    inode: int
    size_bytes: int
    mtime_ns: int
    ctime_ns: int


def identity(path: Path) -> Identity:
    """Return the identity of a file.

    Raises:
        OSError: there is no such file.
    """
    status = path.stat()
    times = status.st_mtime_ns, status.st_ctime_ns
    return Identity(path.absolute(), status.st_ino, status.st_size, *times)
