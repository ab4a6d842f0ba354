import os
import time
from pathlib import Path

import pytest

from edgeflow.artifact.collect import collect
from edgeflow.artifact.entry import Entry
from edgeflow.artifact.store import GRACE_S, SCRATCH, Store
from tests.unit.artifact.conftest import Make

DAY_S = 86400.0


@pytest.fixture
def three(store: Store, make: Make) -> list[Entry]:
    """Entries of 1000 bytes of their own and 500 shared ones; last used 30, 20 and 10 days ago."""
    entries = []
    for number, days in enumerate((30, 20, 10)):
        files = {"own": bytes([number]) * 1000, "shared": b"s" * 500}
        entry, folder = make(f"net{number}", files, number=number)
        store.put(entry, folder)
        then = time.time() - days * DAY_S
        os.utime(store.entry_path(entry.key), (then, then))
        entries.append(entry)
    age_blobs(store)
    return entries


def age_blobs(store: Store) -> None:
    old = time.time() - GRACE_S - 10
    for path in store.root.glob("blobs/*/*"):
        os.utime(path, (old, old))


def names(store: Store) -> list[str]:
    return [entry.name for entry in store.entries()]


def stored_bytes(store: Store) -> int:
    return sum(path.stat().st_size for path in store.root.glob("blobs/*/*"))


def test_without_limits_all_entries_stay(store: Store, three: list[Entry]) -> None:
    done = collect(store)
    assert (done.entries, done.blobs, done.size_bytes, done.spared_bytes) == ([], 0, 0, 0)
    assert names(store) == ["net0", "net1", "net2"]


@pytest.mark.parametrize(
    ("limit", "kept"),
    [
        (3500, ["net0", "net1", "net2"]),
        (3499, ["net1", "net2"]),
        (2500, ["net1", "net2"]),
        (1500, ["net2"]),
        (1499, []),
    ],
)
def test_the_longest_unused_go_until_the_rest_fits(
    store: Store, three: list[Entry], limit: int, kept: list[str]
) -> None:
    done = collect(store, max_size_bytes=limit)
    assert names(store) == kept
    assert len(done.entries) == 3 - len(kept)
    assert stored_bytes(store) == (len(kept) * 1000 + 500 if kept else 0) == 3500 - done.size_bytes
    assert stored_bytes(store) <= limit


def test_a_fetch_counts_as_use(store: Store, three: list[Entry], tmp_path: Path) -> None:
    assert store.fetch(three[0].key, tmp_path / "out")
    age_blobs(store)
    collect(store, max_size_bytes=1500)
    assert names(store) == ["net0"]


def test_what_was_unused_for_long_goes(store: Store, three: list[Entry]) -> None:
    done = collect(store, unused_s=15 * DAY_S)
    assert names(store) == ["net2"]
    assert [entry.name for entry in done.entries] == ["net0", "net1"]
    assert (done.blobs, done.size_bytes) == (2, 2000)


def test_a_dry_run_changes_nothing(store: Store, three: list[Entry]) -> None:
    done = collect(store, max_size_bytes=0, dry_run=True)
    assert (len(done.entries), done.blobs, done.size_bytes) == (3, 4, 3500)
    assert len(names(store)) == 3
    assert stored_bytes(store) == 3500


def test_bytes_without_an_entry_go_after_the_grace(store: Store, make: Make) -> None:
    entry, folder = make(files={"model": b"x" * 100})
    store.put(entry, folder)
    store.entry_path(entry.key).unlink()  # as if the put were not over
    (store.root / "blobs" / "00" / f"{SCRATCH}killed").mkdir(parents=True)
    done = collect(store)
    assert (done.blobs, done.spared_bytes >= 100) == (0, True)
    age_blobs(store)
    assert collect(store).blobs == 2
    assert list(store.root.glob("blobs/*/*")) == []


def test_a_put_of_kept_bytes_makes_them_new(store: Store, make: Make) -> None:
    entry, folder = make(files={"model": b"x" * 100})
    store.put(entry, folder)
    store.entry_path(entry.key).unlink()
    age_blobs(store)
    store.put(make(files={"model": b"x" * 100}, epochs=2)[0], folder)
    for key in store.keys_by_use():
        store.entry_path(key).unlink()
    assert collect(store).spared_bytes == 100
