"""Files that survive a power cut."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import stat
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .answer import Json

BLOCK_BYTES = 1 << 20
# Why a file cannot be opened now: nothing that is wrong with the file.
PASSING = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)


def sha256(path: str) -> str:
    """Return the hex SHA-256 of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(BLOCK_BYTES), b""):
            digest.update(block)
    return digest.hexdigest()


def fsync(path: str) -> None:
    """Make a file, or a directory's entries, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove(path: str) -> None:
    """Remove a file that may not be there."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def read_plain(path: str, max_bytes: int) -> bytes:
    """Return a file's bytes; raise OSError if it is no plain file, or larger."""
    # Opening a named pipe would wait for a writer.
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
        facts = os.fstat(file.fileno())
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > max_bytes:
            raise OSError(errno.EINVAL, f"no plain file of at most {max_bytes} bytes", path)
        return file.read(max_bytes)


def unblocked(path: str, flags: int) -> int:
    """Open a file for `open`; wait for nobody at the end of a named pipe, and follow no link."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOFOLLOW, 0o666)


def idle_s(path: str) -> float:
    """Return the seconds since something was written; the clock may have been set since."""
    return abs(time.time() - os.lstat(path).st_mtime)


def write_json(path: str, value: Json) -> None:
    """Replace a file by JSON in one step that survives a power cut."""
    write_bytes(path, json.dumps(value, sort_keys=True).encode())


def write_bytes(path: str, data: bytes) -> None:
    """Replace a file in one step that survives a power cut."""
    temporary = path + ".tmp"
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        remove(temporary)
        raise
    fsync(os.path.dirname(path))


def write_file(path: str, blocks: Iterator[bytes]) -> None:
    """Write a new read-only file and bring it to the disk."""
    with open(path, "xb") as file:
        file.writelines(blocks)
        file.flush()
        os.fchmod(file.fileno(), 0o444)
        os.fsync(file.fileno())
