"""Uploads on their way: their names, how much is there, and those that nobody continues."""

from __future__ import annotations

import contextlib
import os

from .files import idle_s
from .folders import discard, is_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

# The whole bundle or what is new in it, as it is or packed.
FORMS = {"tar": "", "tar.zst": ".zst", "delta": ".delta", "delta.zst": ".delta.zst"}
# An upload of somebody else that has not grown for so long has ended.
STALE_S = 600.0


def upload_name(name: str, uploader: str | None, form: str) -> str:
    """Return the name of an upload's file; each uploader has its own."""
    owner = f".{uploader}" if uploader else ""
    return f"{name}{owner}{FORMS[form]}.part"


def discard_uploads(folder: str, uploader: str | None, keep: Sequence[str] = ()) -> None:
    """Remove uploads that nobody continues: this uploader's own, and those that stand still."""
    for entry in os.listdir(folder) if is_folder(folder) else ():
        path = os.path.join(folder, entry)
        with contextlib.suppress(FileNotFoundError):
            own = uploader is not None and f".{uploader}." in entry
            stale = idle_s(path) > STALE_S
            if entry.endswith(".part") and entry not in keep and (own or stale):
                discard(path)


def received_bytes(path: str) -> int:
    """Return how much of an upload is there."""
    return os.path.getsize(path) if os.path.isfile(path) else 0
