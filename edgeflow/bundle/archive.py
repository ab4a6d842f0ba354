"""A tar whose bytes depend on nothing but names and contents."""

import io
from collections.abc import Mapping
from itertools import islice
from pathlib import Path

from edgeflow.ondevice.agent.answer import Refused
from edgeflow.ondevice.agent.ustar import END, members, write_member


def tar_of(members: Mapping[str, bytes]) -> bytes:
    """Return a tar of members in the given order, owned by nobody in particular, at the epoch.

    A device that holds the members makes the same tar of them.
    """
    buffer = io.BytesIO()
    for name, data in members.items():
        write_member(buffer, name, len(data), [data])
    return buffer.getvalue() + END


def write_tar(path: Path, members: Mapping[str, bytes]) -> None:
    """Write such a tar."""
    path.write_bytes(tar_of(members))


def read_member(
    path: Path, name: str, max_bytes: int | None = None, first: int | None = None
) -> bytes:
    """Return one member's bytes.

    Raises:
        KeyError: there is none of that name, among the `first` ones if that is given.
        Refused: the file is no such tar, or the member is larger than `max_bytes`.
    """
    with path.open("rb") as file:
        for member in islice(members(file), first):
            if member.name == name:
                if max_bytes is not None and member.size > max_bytes:
                    raise Refused("corrupt", f"{name} has more than {max_bytes} bytes")
                return b"".join(member.blocks)
    raise KeyError(name)
