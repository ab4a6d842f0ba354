"""Samples that the service kept, packed for a host that collects them."""

from __future__ import annotations

import os
import re
import stat
from functools import partial

from .files import BLOCK_BYTES, read_plain, remove
from .folders import is_folder, make_folder
from .manifest import SHA
from .space import SPARE_BYTES, require_space
from .ustar import END, write_member

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import IO

    from .answer import Json

SAMPLE = re.compile(r"([0-9a-f]{64})\.npz")
PACKED_MAX_BYTES = 64 << 20
"""What one transfer brings; the host asks again for the rest."""
HEADERS_BYTES = 1024
"""What a tar adds to a file: its header, and the fill to whole blocks."""
KNOWN_MAX_BYTES = 64 << 20


def pack_samples(options: argparse.Namespace) -> Json:
    """Pack kept samples that the host does not have: its list lies in ``run/collected.ID``."""
    folder = os.path.abspath(options.model_dir)
    run, kept = os.path.join(folder, "run"), os.path.join(folder, "kept")
    make_folder(run)
    path = os.path.join(run, f"kept.{options.uploader}.tar")
    remove(path)
    known = known_samples(os.path.join(run, f"collected.{options.uploader}"))
    found = sorted(set(samples_in(kept)) - known)
    chosen = fitting(kept, found)
    if chosen:
        pack(kept, chosen, path)
    return {"path": path, "samples": len(chosen), "left": len(found) - len(chosen)}


def known_samples(path: str) -> set[str]:
    """Return the names in the host's list."""
    try:
        text = read_plain(path, KNOWN_MAX_BYTES).decode("ascii", "replace")
    except FileNotFoundError:
        return set()
    return set(filter(SHA.fullmatch, text.split()))


def samples_in(kept: str) -> list[str]:
    """Return the names of the samples in a folder."""
    entries = os.listdir(kept) if is_folder(kept) else []
    matches = (SAMPLE.fullmatch(entry) for entry in entries)
    return [match.group(1) for match in matches if match]


def fitting(kept: str, names: list[str]) -> list[str]:
    """Return as many of the samples as one transfer brings, and at least one."""
    chosen: list[str] = []
    total = 0
    for name in names:
        try:
            size = sum(os.lstat(path).st_size for path in files_of(kept, name))
        except FileNotFoundError:  # the quota took it just now
            continue
        if chosen and total + size > PACKED_MAX_BYTES:
            break
        chosen.append(name)
        total += size
    return chosen


def files_of(kept: str, name: str) -> list[str]:
    """Return the two files of a sample."""
    return [os.path.join(kept, name + suffix) for suffix in (".json", ".npz")]


def pack(kept: str, names: list[str], path: str) -> None:
    """Write a tar of samples; what the quota takes meanwhile is left out."""
    paths = [one for name in names for one in files_of(kept, name)]
    sizes = [os.lstat(one).st_size + HEADERS_BYTES for one in paths if os.path.exists(one)]
    require_space(kept, sum(sizes) + SPARE_BYTES, 1)
    try:
        with open(path, "wb") as tar:
            for one in paths:
                add(tar, one)
            tar.write(END)
    except BaseException:
        remove(path)
        raise


def add(tar: IO[bytes], path: str) -> None:
    """Append a file to a tar, if it is there still, and no link."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return
    with os.fdopen(descriptor, "rb") as file:
        facts = os.fstat(descriptor)
        if stat.S_ISREG(facts.st_mode):
            blocks = iter(partial(file.read, BLOCK_BYTES), b"")
            write_member(tar, os.path.basename(path), facts.st_size, blocks)
