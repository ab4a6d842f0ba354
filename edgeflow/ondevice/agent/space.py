"""Room on the disk."""

from __future__ import annotations

import os

from .answer import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .answer import Json

# Directories, journal and audit log of one release; small beside any model.
SPARE_BYTES = 256 << 10


def free(path: str) -> Json:
    """Return free bytes and inodes where `path` is, or will be."""
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    usage = os.statvfs(path)
    # File systems without a fixed number of inodes report none at all.
    inodes = usage.f_favail if usage.f_files else None
    return {"free_bytes": usage.f_bavail * usage.f_frsize, "free_inodes": inodes}


def require_space(path: str, need_bytes: int, need_inodes: int) -> None:
    """Refuse early, with both figures, what would not fit."""
    have = free(path)
    if have["free_bytes"] < need_bytes:
        detail = "need {} bytes, have {}".format(need_bytes, have["free_bytes"])
        raise Refused("no space", detail, need_bytes=need_bytes, **have)
    if have["free_inodes"] is not None and have["free_inodes"] < need_inodes:
        detail = "need {} inodes, have {}".format(need_inodes, have["free_inodes"])
        raise Refused("no space", detail, need_bytes=need_bytes, **have)
