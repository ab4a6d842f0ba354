"""The forms in which a bundle travels: whole, or what a device lacks of it; as it is, or packed."""

import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from edgeflow.artifact.packed import packed_path
from edgeflow.bundle.manifest import read_bundle
from edgeflow.deploy.agent_answer import Form
from edgeflow.ondevice.agent.ustar import END, members, write_member

DELTA_LEVEL = 3
"""Packs faster than networks send; the packed whole has been packed once, with all the time."""
_MARGIN = 1.1
_INODES = 10
_DATA_INODES = 3
"""The folder of a data file, the file, and a lock."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Need:
    """What a device must have free for something that is brought there."""

    bytes: int
    inodes: int

    @classmethod
    def of(cls, bundle: Path) -> Self:
        """Return what a bundle needs, to be installed in any form.

        Of upload, tar and release never more than two are there at a time, and no delta is larger
        than the tar. Each file and folder takes an inode, and so do uploads and the journal.
        """
        names = read_bundle(bundle).files
        folders = {parent for name in names for parent in Path(name).parents}
        inodes = len(names) + len(folders) + _INODES
        return cls(bytes=int(2 * bundle.stat().st_size * _MARGIN), inodes=inodes)

    @classmethod
    def of_data(cls, path: Path) -> Self:
        """Return what a data file needs."""
        return cls(bytes=int(path.stat().st_size * _MARGIN), inodes=_DATA_INODES)

    def options(self) -> tuple[str, ...]:
        """Return how the agent's `prepare` is told."""
        return ("--need-bytes", str(self.bytes), "--need-inodes", str(self.inodes))


@dataclass(frozen=True, kw_only=True, slots=True)
class Parcel:
    """A bundle as it travels.

    Attributes:
        packed_from: size in bytes of what a packed one unpacks to; None if it is not packed.
    """

    form: Form
    path: Path
    packed_from: int | None = None

    @property
    def is_whole(self) -> bool:
        """Whether a device needs nothing but this to have the bundle."""
        return not self.form.startswith("delta")

    def size(self) -> int:
        """Return its size in bytes."""
        return self.path.stat().st_size

    def left(self, received: Mapping[Form, int]) -> int:
        """Return how many bytes are still to be sent, if what came earlier is its beginning."""
        return max(0, self.size() - received.get(self.form, 0))


@contextmanager
def parcels(bundle: Path, held: Collection[str], *, zstd: bool) -> Iterator[list[Parcel]]:
    """Give the forms in which a device can be sent a bundle, the whole tar first.

    Args:
        bundle: the bundle.tar; its packed form lies beside it, if there is one.
        held: digests of the files that the device has.
        zstd: whether it unpacks Zstandard.
    """
    size, packed = bundle.stat().st_size, packed_path(bundle)
    forms = [Parcel(form="tar", path=bundle)]
    if zstd and packed.is_file():
        forms.append(Parcel(form="tar.zst", path=packed, packed_from=size))
    with tempfile.TemporaryDirectory() as scratch:
        delta = Path(scratch) / f"{bundle.stem}.delta"
        if _write_delta(bundle, held, delta):
            forms.append(Parcel(form="delta", path=delta))
            if zstd:
                small, size = packed_path(delta), delta.stat().st_size
                _pack(delta, small)
                forms.append(Parcel(form="delta.zst", path=small, packed_from=size))
        yield forms


def _write_delta(bundle: Path, held: Collection[str], path: Path) -> bool:
    """Write a tar of the members that are not held; return whether any is left out."""
    files = read_bundle(bundle).files
    leave = {name for name, record in files.items() if record.sha256 in held}
    if not leave:
        return False
    with bundle.open("rb") as archive, path.open("wb") as delta:
        for member in members(archive):
            if member.name not in leave:
                write_member(delta, member.name, member.size, member.blocks)
        delta.write(END)
    return True


def _pack(source: Path, target: Path) -> None:
    import zstandard

    packer = zstandard.ZstdCompressor(level=DELTA_LEVEL, write_checksum=True)
    with source.open("rb") as file, target.open("wb") as sink:
        packer.copy_stream(file, sink, size=source.stat().st_size)
