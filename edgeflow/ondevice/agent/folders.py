"""Folders, which people and a lax umask may have changed."""

from __future__ import annotations

import errno
import os
import stat

from .files import fsync, remove

OTHERS = stat.S_IWGRP | stat.S_IWOTH
SCRATCH = ".tmp-"


def is_folder(path: str) -> bool:
    """Tell whether a path is a folder and no link to one."""
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return False
        raise


def discard(path: str) -> None:
    """Remove whatever is there, if anything; a link, not what it points at."""
    import shutil

    if not is_folder(path):
        remove(path)
        return
    open_to_owner(path)
    for root, folders, _ in os.walk(path):
        for name in folders:
            open_to_owner(os.path.join(root, name))
    shutil.rmtree(path)


def scratch_path(folder: str, name: str) -> str:
    """Return a path in a folder that the next verb clears if this one is killed."""
    return os.path.join(folder, SCRATCH + name)


def discard_scratch(folder: str) -> None:
    """Remove what a killed verb left; the lock says that none is running."""
    for entry in os.listdir(folder) if is_folder(folder) else ():
        if entry.startswith(SCRATCH):
            discard(os.path.join(folder, entry))


def open_to_owner(path: str) -> None:
    """Let us change what is in a folder, which somebody perhaps has made read-only."""
    if is_folder(path):
        mode = stat.S_IMODE(os.lstat(path).st_mode)
        if ~mode & stat.S_IRWXU:
            os.chmod(path, mode | stat.S_IRWXU)


def close_to(path: str, writers: int) -> None:
    """Take the right to write in a folder from others; a lax umask perhaps gave it.

    A link stays: its own mode says nothing, and what it points at may be somebody's.
    """
    mode = stat.S_IMODE(os.lstat(path).st_mode)
    if mode & writers and is_folder(path):
        os.chmod(path, mode & ~writers)


def set_aside(path: str) -> None:
    """Rename what does not belong there to a free name: it may be somebody's."""
    number = 1
    while os.path.lexists(f"{path}.found-{number}"):
        number += 1
    os.rename(path, f"{path}.found-{number}")


def make_folder(path: str) -> None:
    """Make a folder, or accept one that is linked; what else is there is set aside."""
    if os.path.lexists(path) and not os.path.isdir(path):
        set_aside(path)
    os.makedirs(path, exist_ok=True)


def entries_of(folder: str) -> dict[str, int]:
    """Return the mode of all that is in a folder, by relative path; no link is followed."""
    found = {}
    for root, folders, names in os.walk(folder):
        for name in folders + names:
            path = os.path.join(root, name)
            found[os.path.relpath(path, folder)] = os.lstat(path).st_mode
    return found


def size_bytes(folder: str) -> int:
    """Return the bytes of all files below a folder."""
    paths = [os.path.join(root, name) for root, _, names in os.walk(folder) for name in names]
    return sum(os.lstat(path).st_size for path in paths)


def sync_folders(folder: str) -> None:
    """Bring the entries of a folder and of all below it to the disk."""
    for root, _, _ in os.walk(folder):
        fsync(root)
