"""A tar whose bytes depend on nothing but names and contents."""

import io
import os
import tarfile
from collections.abc import Mapping
from pathlib import Path


def write_tar(path: Path, members: Mapping[str, bytes]) -> None:
    """Write members in the given order, owned by nobody in particular, at the epoch.

    The file is as long as the archive, in blocks of 512 bytes.
    """
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o644
            archive.addfile(info, io.BytesIO(data))
    # Behind the two blocks that end an archive, tapes want it filled up to 10,240 bytes.
    os.truncate(path, archive.offset)


def read_member(path: Path, name: str) -> bytes:
    """Return one member's bytes; KeyError if there is none."""
    with tarfile.open(path) as archive:
        file = archive.extractfile(name)
        if file is None:
            raise KeyError(name)
        return file.read()
