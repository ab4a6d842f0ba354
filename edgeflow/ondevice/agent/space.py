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


def lacks(path: str, need_bytes: int, need_inodes: int) -> str | None:
    """Say with both figures what there is too little of where `path` is; None if all fits."""
    have = free(path)
    if have["free_bytes"] < need_bytes:
        return "need {} bytes, have {}".format(need_bytes, have["free_bytes"])
    if have["free_inodes"] is not None and have["free_inodes"] < need_inodes:
        return "need {} inodes, have {}".format(need_inodes, have["free_inodes"])
    return None


def require_space(path: str, need_bytes: int, need_inodes: int) -> None:
    """Refuse early, with both figures, what would not fit."""
    detail = lacks(path, need_bytes, need_inodes)
    if detail is not None:
        raise Refused("no space", detail, need_bytes=need_bytes, **free(path))
