"""The tar of a bundle: exactly what its manifest lists, and nothing but plain files."""

from __future__ import annotations

import os
import tarfile
from functools import partial

from .answer import Refused
from .files import BLOCK_BYTES, write_file
from .manifest import MANIFEST, MANIFEST_MAX_BYTES, listed_files
from .space import SPARE_BYTES, require_space

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO


def unpack(part: str, folder: str) -> bytes:
    """Write exactly the listed members into `folder`; return the manifest's bytes."""
    with tarfile.open(part, "r:") as archive:
        manifest = read_manifest(archive)
        files = listed_files(manifest)
        total = sum(entry["size_bytes"] for entry in files.values())
        require_space(folder, total + SPARE_BYTES, len(files) + 10)
        write_file(os.path.join(folder, MANIFEST), iter([manifest]))
        missing = set(files)
        for member in iter(archive.next, None):
            if member.name not in missing or not plain(member):
                raise Refused("corrupt", f"unexpected member: {member.name!r}")
            if member.size != files[member.name]["size_bytes"]:
                raise Refused("corrupt", f"{member.name} has not the size listed")
            missing.discard(member.name)
            path = os.path.join(folder, member.name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            source = content(archive, member)
            write_file(path, iter(partial(source.read, BLOCK_BYTES), b""))
    if missing:
        raise Refused("corrupt", f"missing member: {min(missing)}")
    return manifest


def plain(member: tarfile.TarInfo) -> bool:
    """Tell whether a member is an ordinary file: no link, device, folder or sparse file."""
    return member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and not member.sparse


def read_manifest(archive: tarfile.TarFile) -> bytes:
    """Return the first member, which must be the manifest."""
    member = archive.next()
    if member is None or member.name != MANIFEST or not plain(member):
        raise Refused("corrupt", f"the first member is not {MANIFEST}")
    if member.size > MANIFEST_MAX_BYTES:
        raise Refused("corrupt", f"{MANIFEST} is too large")
    return content(archive, member).read()


def content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    """Return a plain member's bytes as a file."""
    source = archive.extractfile(member)
    if source is None:
        raise Refused("corrupt", f"{member.name} has no content")
    return source
