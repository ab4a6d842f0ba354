"""The tar of a bundle: exactly what its signed manifest lists, and nothing but plain files."""

from __future__ import annotations

import os
import tarfile
from functools import partial

from .answer import Refused
from .files import BLOCK_BYTES, write_file
from .manifest import MANIFEST, MANIFEST_MAX_BYTES, SIGNATURE, listed_files, require_machine
from .signature import SIGNATURE_MAX_BYTES, signer_of
from .space import SPARE_BYTES, require_space

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO

    from .answer import Json


def unpack(part: str, folder: str, trust_dir: str) -> tuple[bytes, str | None]:
    """Write exactly the listed members into `folder`; return the manifest's bytes and its signer.

    Nothing is written before the signature is verified.
    """
    with tarfile.open(part, "r:") as archive:
        manifest = read_member(archive, archive.next(), MANIFEST, MANIFEST_MAX_BYTES)
        member, signature = archive.next(), None
        if member is not None and member.name == SIGNATURE:
            signature = read_member(archive, member, SIGNATURE, SIGNATURE_MAX_BYTES)
            member = archive.next()
        signer = signer_of(manifest, signature, trust_dir)
        files = listed_files(manifest)
        require_machine(manifest)
        total = sum(entry["size_bytes"] for entry in files.values())
        require_space(folder, total + SPARE_BYTES, len(files) + 10)
        write_file(os.path.join(folder, MANIFEST), iter([manifest]))
        if signature is not None:
            write_file(os.path.join(folder, SIGNATURE), iter([signature]))
        unpack_files(archive, member, files, folder)
    return manifest, signer


def unpack_files(
    archive: tarfile.TarFile, member: tarfile.TarInfo | None, files: Json, folder: str
) -> None:
    """Write the listed files, of which `member` is the first."""
    missing = set(files)
    while member is not None:
        if member.name not in missing or not plain(member):
            raise Refused("corrupt", f"unexpected member: {member.name!r}")
        if member.size != files[member.name]["size_bytes"]:
            raise Refused("corrupt", f"{member.name} has not the size listed")
        missing.discard(member.name)
        path = os.path.join(folder, member.name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        source = content(archive, member)
        write_file(path, iter(partial(source.read, BLOCK_BYTES), b""))
        member = archive.next()
    if missing:
        raise Refused("corrupt", f"missing member: {min(missing)}")


def plain(member: tarfile.TarInfo) -> bool:
    """Tell whether a member is an ordinary file: no link, device, folder or sparse file."""
    return member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and not member.sparse


def read_member(
    archive: tarfile.TarFile, member: tarfile.TarInfo | None, name: str, max_bytes: int
) -> bytes:
    """Return the bytes of a member, which must have this name."""
    if member is None or member.name != name or not plain(member):
        raise Refused("corrupt", f"{name} is not where it must be in the tar")
    if member.size > max_bytes:
        raise Refused("corrupt", f"{name} is too large")
    return content(archive, member).read()


def content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    """Return a plain member's bytes as a file."""
    source = archive.extractfile(member)
    if source is None:
        raise Refused("corrupt", f"{member.name} has no content")
    return source
