"""A tar whose bytes depend on nothing but names and contents."""

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

from edgeflow.ondevice.agent.ustar import END, write_member


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


def read_member(path: Path, name: str) -> bytes:
    """Return one member's bytes; KeyError if there is none."""
    with tarfile.open(path) as archive:
        file = archive.extractfile(name)
        if file is None:
            raise KeyError(name)
        return file.read()
