"""A bundle of which only what is new was sent: the rest is in releases that are here already.

A delta is a tar as well: the manifest, its signature if the bundle has one, and in the manifest's
order those files that no release holds. What is made of it is the bundle's own tar, byte by byte,
which is then verified and installed as if it had come whole.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from functools import partial

from .answer import Refused
from .archive import read_member
from .files import BLOCK_BYTES, read_plain, sha256
from .journal import installed
from .manifest import MANIFEST, MANIFEST_MAX_BYTES, SIGNATURE, listed_files
from .signature import SIGNATURE_MAX_BYTES, signer_of
from .space import SPARE_BYTES, require_space
from .ustar import END, members, write_member

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

    from .model import Model


def held_files(model: Model, doubted: str | None = None) -> dict[str, str]:
    """Return the files of all releases: their digests, as manifests say, with their paths.

    They are hashed when they are used: one that was damaged meanwhile makes no release. Those of
    a release that is `doubted` are hashed now.
    """
    found: dict[str, str] = {}
    for name in installed(model, {"releases": {}}):
        with contextlib.suppress(OSError, Refused):
            folder = model.release(name)
            files = listed_files(read_plain(os.path.join(folder, MANIFEST), MANIFEST_MAX_BYTES))
            for file, entry in files.items():
                path = os.path.join(folder, file)
                if is_file(path, entry["size_bytes"]):
                    good = name != doubted or sha256(path) == entry["sha256"]
                    found.update({entry["sha256"]: path} if good else {})
    return found


def is_file(path: str, size: int) -> bool:
    """Tell whether a path is a plain file of that size, and no link to one."""
    try:
        facts = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISREG(facts.st_mode) and facts.st_size == size


def build_tar(model: Model, delta: str, path: str) -> None:
    """Write the whole tar of a bundle, from a delta and from what the releases hold."""
    held = held_files(model)
    with open(delta, "rb") as sent, open(path, "wb") as tar:
        archive = members(sent)
        manifest = read_member(next(archive, None), MANIFEST, MANIFEST_MAX_BYTES)
        member, head = next(archive, None), {MANIFEST: manifest}
        if member is not None and member.name == SIGNATURE:
            head[SIGNATURE] = read_member(member, SIGNATURE, SIGNATURE_MAX_BYTES)
            member = next(archive, None)
        signer_of(manifest, head.get(SIGNATURE), model.trust)  # before anything is written
        files = listed_files(manifest)
        sizes = [entry["size_bytes"] for entry in files.values()]
        require_space(os.path.dirname(path), sum(sizes) + SPARE_BYTES, 1)
        for name, data in head.items():
            write_member(tar, name, len(data), [data])
        for name, entry in files.items():
            if member is not None and member.name == name:
                write_member(tar, name, member.size, member.blocks)
                member = next(archive, None)
            else:
                copy_held(held.get(entry["sha256"]), name, entry["sha256"], tar)
        if member is not None:
            raise Refused("corrupt", f"unexpected member: {member.name!r}")
        tar.write(END)


def copy_held(path: str | None, name: str, wanted: str, tar: IO[bytes]) -> None:
    """Copy a file that a release holds; refuse one that is gone, or was changed."""
    if path is None:
        raise Refused("absent", f"no release holds {name}, which was not sent")
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        write_member(tar, name, size, hashed(file, digest))
    if digest.hexdigest() != wanted:
        raise Refused("absent", f"{path}, which {name} was to be copied from, was changed")


def hashed(file: IO[bytes], digest: hashlib._Hash) -> Iterator[bytes]:
    """Yield what a file holds, and hash it."""
    for block in iter(partial(file.read, BLOCK_BYTES), b""):
        digest.update(block)
        yield block
