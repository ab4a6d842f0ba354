"""Data files, such as test sets: each is on the device once, by its content."""

from __future__ import annotations

import contextlib
import os
import stat

from .answer import Refused
from .files import fsync, idle_s, remove, sha256
from .folders import close_to, discard, discard_scratch, is_folder, scratch_path, sync_folders
from .lock import locked
from .manifest import SHA
from .space import free
from .uploads import discard_uploads, received_bytes, upload_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from .answer import Json

# Data that no measurement has used for so long go when others come,
UNUSED_S = 30 * 86400.0
# and where room is short, all that no measurement can be using now.
UNTOUCHED_S = 86400.0


def find_data(options: argparse.Namespace) -> Json:
    """Tell whether a data file is on the device, whole; if not, get ready for its upload."""
    folder = os.path.abspath(options.data_dir)
    path = os.path.join(folder, options.sha, options.name)
    part = upload_name(options.sha, options.uploader, "tar")
    with locked(folder, "find-data"):
        with contextlib.suppress(OSError):
            close_to(folder, stat.S_IWOTH)
        stored = os.path.isfile(path) and sha256(path) == options.sha
        if stored:
            os.utime(os.path.dirname(path))
        discard_uploads(folder, options.uploader, () if stored else (part,))
        have = received_bytes(os.path.join(folder, part))
        if not stored:
            make_room(folder, options.sha, options.need_bytes - have)
    return dict(free(folder), path=path, stored=stored, part=part, received_bytes=have)


def make_room(folder: str, wanted: str, need_bytes: int) -> None:
    """Remove what no measurement has used for long; where room is short, for a shorter time."""
    discard_scratch(folder)
    discard_unused(folder, wanted, UNUSED_S)
    if free(folder)["free_bytes"] < need_bytes:
        discard_unused(folder, wanted, UNTOUCHED_S)


def discard_unused(folder: str, wanted: str, age_s: float) -> None:
    """Remove data that was last used longer ago, by the times of their folders."""
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        if not SHA.fullmatch(name) or name == wanted or not is_folder(path):
            continue
        if idle_s(path) > age_s:
            # In one step: what is in the folder counts as used when a part of it goes.
            os.rename(path, scratch_path(folder, name))
            discard(scratch_path(folder, name))


def store_data(options: argparse.Namespace) -> Json:
    """Verify an uploaded data file and move it into place."""
    folder = os.path.abspath(options.data_dir)
    part = os.path.join(folder, upload_name(options.sha, options.uploader, "tar"))
    path = os.path.join(folder, options.sha, options.name)
    with locked(folder, "store-data"):
        if not os.path.isfile(part):
            raise Refused("absent", f"{options.sha} was not uploaded")
        if sha256(part) != options.sha:
            remove(part)
            raise Refused("corrupt", f"the upload is not {options.sha}")
        os.chmod(part, 0o444)
        fsync(part)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.replace(part, path)
        sync_folders(os.path.dirname(path))
        fsync(folder)
    return {"path": path, "stored": True}
