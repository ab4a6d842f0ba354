"""Replacement of a damaged release that may be in use."""

from __future__ import annotations

import os

from .folders import OTHERS, close_to, discard, entries_of, is_folder, open_to_owner, sync_folders
from .manifest import MANIFEST, SIGNATURE, folders_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .answer import Json


def replace_files(scratch: str, release: str, files: Json) -> None:
    """Replace a damaged release file by file: it may be in use, and is never away."""
    open_to_owner(release)
    close_to(release, OTHERS)
    folders, wanted = folders_of(files), {MANIFEST, *files}
    wanted |= {SIGNATURE} & set(os.listdir(scratch))
    for name in sorted(folders):
        path = os.path.join(release, name)
        if not is_folder(path):
            discard(path)
            os.mkdir(path)
        open_to_owner(path)
        close_to(path, OTHERS)
    for name in sorted(wanted):
        path = os.path.join(release, name)
        if is_folder(path):
            discard(path)
        os.replace(os.path.join(scratch, name), path)
    for name in sorted(set(entries_of(release)) - wanted - folders):
        discard(os.path.join(release, name))
    sync_folders(release)
