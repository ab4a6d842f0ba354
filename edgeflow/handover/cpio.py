"""The archive of SWUpdate: cpio in its "crc" form, see cpio(5)."""

from collections.abc import Mapping

MAGIC = b"070702"
_END = "TRAILER!!!"
_MODE = 0o100644
_SIZE_LIMIT = 1 << 32


def cpio_of(members: Mapping[str, bytes]) -> bytes:
    """Return an archive of members in the given order; it depends on names and contents alone.

    Raises:
        ValueError: a member is too large for the format.
    """
    parts = []
    for number, (name, data) in enumerate({**members, _END: b""}.items(), start=1):
        if len(data) >= _SIZE_LIMIT:
            raise ValueError(f"{name} is too large for a cpio archive")
        ended = name == _END
        parts += [_padded(_header(name, data, 0 if ended else number, ended=ended)), _padded(data)]
    return b"".join(parts)


def _header(name: str, data: bytes, number: int, *, ended: bool) -> bytes:
    """Return header and name: inode, mode, owner, links, time, size, device, sum of the bytes."""
    title = name.encode() + b"\0"
    mode = 0 if ended else _MODE
    total = sum(data) % _SIZE_LIMIT
    fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(title), total)
    return MAGIC + b"".join(b"%08X" % field for field in fields) + title


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
