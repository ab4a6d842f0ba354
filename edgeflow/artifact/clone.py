"""Copies that share their bytes on disk where the file system can."""

import fcntl
import os
import shutil
from pathlib import Path

FICLONE = 0x40049409
"""Request number of Linux' reflink, from linux/fs.h."""


def clone(source: Path, target: Path) -> None:
    """Make the new file `target` a read-only copy of `source`: reflink, hard link, or copy.

    A hard link shares its inode with `source`, and so its time of change. Both become
    read-only: what is written through one would show in the other.

    Raises:
        FileNotFoundError: `source` is not there.
        OSError: no space is left, or a folder cannot be written.
    """
    if not (_reflink(source, target) or _hardlink(source, target)):
        shutil.copyfile(source, target)
    target.chmod(0o444)
    os.utime(target)  # what was made before its input looks out of date to make-like tools


def _reflink(source: Path, target: Path) -> bool:
    with source.open("rb") as original, target.open("wb") as copy:
        try:
            fcntl.ioctl(copy.fileno(), FICLONE, original.fileno())
        except OSError:
            return False
    return True


def _hardlink(source: Path, target: Path) -> bool:
    if source.stat().st_uid != os.geteuid():
        return False  # neither its mode nor its times would be ours to set
    target.unlink(missing_ok=True)
    try:
        target.hardlink_to(source)
    except FileNotFoundError:
        raise
    except OSError:  # another file system, one without links, or no more links to this file
        return False
    return True
