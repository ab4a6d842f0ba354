"""Makes room in the store: what was unused the longest goes first."""

import contextlib
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgeflow.artifact.entry import Entry
from edgeflow.artifact.store import GRACE_S, SCRATCH, Store


@dataclass(frozen=True, kw_only=True, slots=True)
class Collected:
    """What a collection took out, or would.

    Attributes:
        entries: what was forgotten.
        blobs: how many files went, with `size_bytes` in them.
        spared_bytes: size of what no entry names any more but is too new to go.
    """

    entries: list[Entry]
    blobs: int
    size_bytes: int
    spared_bytes: int


def collect(
    store: Store,
    *,
    max_size_bytes: int | None = None,
    unused_s: float | None = None,
    grace_s: float = GRACE_S,
    dry_run: bool = False,
) -> Collected:
    """Forget entries until the rest fits, then remove the bytes that none of them names.

    Args:
        store: the store to make room in.
        max_size_bytes: what the kept entries may take; bytes that they share count once.
        unused_s: entries that were not used for longer go in any case.
        grace_s: bytes younger than this stay.
        dry_run: change nothing.
    """
    now = time.time()
    since = now - unused_s if unused_s is not None else 0.0
    kept: list[Entry] = []
    gone: list[Entry] = []
    for entry in store.entries():
        (gone if store.last_used_unix_s(entry.key) < since else kept).append(entry)
    if max_size_bytes is not None:
        excess = _excess(kept, max_size_bytes)
        gone, kept = gone + kept[:excess], kept[excess:]
    if not dry_run:
        for entry in gone:
            store.entry_path(entry.key).unlink(missing_ok=True)
    named = {blob.sha256 for entry in kept for blob in entry.files.values()}
    return _sweep(store, named, gone, now - grace_s, dry_run)


def _excess(entries: list[Entry], limit: int) -> int:
    """Return how many of the first entries must go until the others take no more than `limit`."""
    blobs = [{blob.sha256: blob.size_bytes for blob in entry.files.values()} for entry in entries]
    uses = Counter(sha for sizes in blobs for sha in sizes)
    total = sum({sha: size for sizes in blobs for sha, size in sizes.items()}.values())
    for count, sizes in enumerate(blobs):
        if total <= limit:
            return count
        uses.subtract(sizes.keys())
        total -= sum(size for sha, size in sizes.items() if not uses[sha])
    return len(entries)


def _sweep(
    store: Store, named: set[str], gone: list[Entry], before: float, dry_run: bool
) -> Collected:
    blobs = size = spared = 0
    for path in _sweepable(store):
        if path.name in named:
            continue
        with contextlib.suppress(FileNotFoundError):  # its owner, or another `collect`, was first
            status = path.stat()
            if status.st_mtime > before:
                spared += status.st_size
                continue
            if not dry_run:
                _remove(path)
            blobs, size = blobs + 1, size + status.st_size
    return Collected(entries=gone, blobs=blobs, size_bytes=size, spared_bytes=spared)


def _sweepable(store: Store) -> Iterator[Path]:
    """Yield all blobs, and what killed processes left of blobs, entries and transfers."""
    for pattern in ("blobs/*/*", "entries/*/.*", f"{SCRATCH}*"):
        yield from store.root.glob(pattern)


def _remove(path: Path) -> None:
    """Remove a blob, or what a killed process left of one."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink()
