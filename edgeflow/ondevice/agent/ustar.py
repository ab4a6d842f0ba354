"""A tar in the USTAR format, whose bytes depend on names and contents alone.

Python's own writer is not used: what it puts into fields that no plain file needs differs between
versions, and a device must write the very bytes that the host has written. Nor is its reader: what
it makes of other members, of negative sizes or of headers for headers is not always finite.
"""

from __future__ import annotations

import os

from .answer import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import IO

BLOCK_BYTES = 512
READ_BYTES = 1 << 20
NAME_BYTES, PREFIX_BYTES = 100, 155
SIZE_LIMIT = 8**11  # what a header has digits for
END = bytes(2 * BLOCK_BYTES)


def header(name: str, size: int) -> bytes:
    """Return the header of a plain file: mode 644, owned by nobody in particular, of the epoch.

    Raises:
        ValueError: the format has no room for that name or size.
    """
    if not 0 <= size < SIZE_LIMIT:
        raise ValueError(f"no tar holds a file of {size} bytes")
    prefix, base = split(name)
    block = b"".join(
        (
            base.ljust(NAME_BYTES, b"\0"),
            b"0000644\0" + b"0000000\0" * 2,  # mode, user, group
            f"{size:011o}\0{0:011o}\0".encode(),  # size, time
            b" " * 8 + b"0",  # checksum, as which spaces count; plain file
            bytes(NAME_BYTES) + b"ustar\x0000" + bytes(32 + 32 + 8 + 8),
            prefix.ljust(PREFIX_BYTES, b"\0") + bytes(12),
        )
    )
    return block[:148] + f"{sum(block):06o}\0 ".encode() + block[156:]


def split(name: str) -> tuple[bytes, bytes]:
    """Return a name as prefix and rest, where it is too long to be in one piece."""
    whole = name.encode("utf-8", "surrogateescape")
    if len(whole) <= NAME_BYTES:
        return b"", whole
    parts = whole.split(b"/")
    for count in range(1, len(parts)):
        prefix, base = b"/".join(parts[:count]), b"/".join(parts[count:])
        if len(prefix) <= PREFIX_BYTES and 0 < len(base) <= NAME_BYTES:
            return prefix, base
    raise ValueError(f"too long for a tar: {name!r}")


def padding(size: int) -> bytes:
    """Return what fills the last block of a file."""
    return bytes(-size % BLOCK_BYTES)


class Member:
    """A plain file in a tar.

    Attributes:
        blocks: its content, to be read once, before the next member.
    """

    def __init__(self, name: str, size: int, blocks: Iterator[bytes]) -> None:
        self.name = name
        self.size = size
        self.blocks = blocks


def members(tar: IO[bytes]) -> Iterator[Member]:
    """Yield the members of a tar; refuse one that another program than this has written."""
    end, at = tar.seek(0, os.SEEK_END), 0
    while True:
        tar.seek(at)
        block = tar.read(BLOCK_BYTES)
        if block == bytes(BLOCK_BYTES):
            return
        name, size = described(block)
        at += BLOCK_BYTES
        if at + size > end:
            raise Refused("corrupt", "the tar is cut short")
        yield Member(name, size, content(tar, size))
        at += size + len(padding(size))


def described(block: bytes) -> tuple[str, int]:
    """Return the name and size in a header; refuse one that `header` would not write."""
    digits = block[124:135]
    if len(block) < BLOCK_BYTES or not digits.isdigit() or set(digits) & set(b"89"):
        raise Refused("corrupt", "not a readable tar")
    prefix, base = (field.split(b"\0")[0] for field in (block[345:500], block[:NAME_BYTES]))
    name = (prefix + b"/" * bool(prefix) + base).decode("utf-8", "surrogateescape")
    size = int(digits, 8)
    if block != header(name, size):
        raise Refused("corrupt", f"unexpected member: {name!r}")
    return name, size


def content(tar: IO[bytes], size: int) -> Iterator[bytes]:
    """Yield the next bytes of a tar."""
    while size:
        block = tar.read(min(size, READ_BYTES))
        if not block:
            raise Refused("corrupt", "the tar is cut short")
        size -= len(block)
        yield block


def write_member(tar: IO[bytes], name: str, size: int, blocks: Iterable[bytes]) -> None:
    """Append a member to a tar."""
    tar.write(header(name, size))
    tar.writelines(blocks)
    tar.write(padding(size))
