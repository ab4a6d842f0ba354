"""A tar in the USTAR format, whose bytes depend on names and contents alone.

Python's own writer is not used: what it puts into fields that no plain file needs differs between
versions, and a device must write the very bytes that the host has written.
"""

from __future__ import annotations

BLOCK_BYTES = 512
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
