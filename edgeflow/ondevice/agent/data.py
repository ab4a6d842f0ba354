"""Data files, such as test sets: each is on the device once, by its content."""

from __future__ import annotations

import contextlib
import os
import stat

from .answer import Refused
from .files import fsync, remove, sha256
from .folders import close_to, sync_folders
from .lock import locked
from .space import free
from .uploads import discard_uploads, received_bytes, upload_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from .answer import Json


def find_data(options: argparse.Namespace) -> Json:
    """Tell whether a data file is on the device, whole; if not, get ready for its upload."""
    folder = os.path.abspath(options.data_dir)
    path = os.path.join(folder, options.sha, options.name)
    stored = os.path.isfile(path) and sha256(path) == options.sha
    part = upload_name(options.sha, options.uploader, "tar")
    if not stored:
        os.makedirs(folder, exist_ok=True)
    with contextlib.suppress(OSError):
        close_to(folder, stat.S_IWOTH)
    discard_uploads(folder, options.uploader, None if stored else part)
    have = received_bytes(os.path.join(folder, part))
    return dict(free(folder), path=path, stored=stored, part=part, received_bytes=have)


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
