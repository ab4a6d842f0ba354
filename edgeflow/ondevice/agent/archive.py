"""The tar of a bundle: exactly what its signed manifest lists, and nothing but plain files."""

from __future__ import annotations

import os

from .answer import Refused
from .files import write_file
from .manifest import MANIFEST, MANIFEST_MAX_BYTES, SIGNATURE, listed_files, require_machine
from .signature import SIGNATURE_MAX_BYTES, signer_of
from .space import SPARE_BYTES, require_space
from .ustar import members

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .answer import Json
    from .ustar import Member


def unpack(part: str, folder: str, trust_dir: str) -> tuple[bytes, str | None]:
    """Write exactly the listed members into `folder`; return the manifest's bytes and its signer.

    Nothing is written before the signature is verified.
    """
    with open(part, "rb") as tar:
        archive = members(tar)
        manifest = read_member(next(archive, None), MANIFEST, MANIFEST_MAX_BYTES)
        member, signature = next(archive, None), None
        if member is not None and member.name == SIGNATURE:
            signature = read_member(member, SIGNATURE, SIGNATURE_MAX_BYTES)
            member = next(archive, None)
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
    archive: Iterator[Member], member: Member | None, files: Json, folder: str
) -> None:
    """Write the listed files, of which `member` is the first."""
    missing = set(files)
    while member is not None:
        if member.name not in missing:
            raise Refused("corrupt", f"unexpected member: {member.name!r}")
        if member.size != files[member.name]["size_bytes"]:
            raise Refused("corrupt", f"{member.name} has not the size listed")
        missing.discard(member.name)
        path = os.path.join(folder, member.name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        write_file(path, member.blocks)
        member = next(archive, None)
    if missing:
        raise Refused("corrupt", f"missing member: {min(missing)}")


def read_member(member: Member | None, name: str, max_bytes: int) -> bytes:
    """Return the bytes of a member, which must have this name."""
    if member is None or member.name != name:
        raise Refused("corrupt", f"{name} is not where it must be in the tar")
    if member.size > max_bytes:
        raise Refused("corrupt", f"{name} is too large")
    return b"".join(member.blocks)
