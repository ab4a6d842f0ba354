"""A near store before a far one, and what the environment says of both."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from edgeflow.artifact.entry import Entry
from edgeflow.artifact.remote import Remote
from edgeflow.artifact.store import Store
from edgeflow.artifact.tiers import Tiers, current_cache, current_store
from tests.unit.artifact.conftest import Make


@dataclass
class Memory:
    """A cache that remembers what it was asked."""

    kept: dict[str, Entry] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)

    def fetch(self, key: str, out: Path) -> Entry | None:
        self.calls.append(f"fetch {out}")
        return self.kept.get(key)

    def put(self, entry: Entry, folder: Path) -> None:
        self.calls.append(f"put {folder}")
        self.kept[entry.key] = entry


def test_the_far_store_is_asked_for_what_the_near_one_has_not(make: Make) -> None:
    (entry, _), near, far = make(), Memory(), Memory()
    tiers, out = Tiers(near, far), Path("out")
    assert tiers.fetch(entry.key, out) is None
    assert (near.calls, far.calls) == (["fetch out"], ["fetch out"])
    far.kept[entry.key] = entry
    assert tiers.fetch(entry.key, out) == entry
    assert near.calls[1:] == ["fetch out", "put out"]
    assert tiers.fetch(entry.key, out) == entry
    assert far.calls == ["fetch out", "fetch out"]


def test_what_is_built_is_kept_in_both(make: Make) -> None:
    (entry, folder), near, far = make(), Memory(), Memory()
    Tiers(near, far).put(entry, folder)
    assert near.kept == far.kept == {entry.key: entry}
    assert near.calls == far.calls == [f"put {folder}"]


def test_the_environment_names_the_stores(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("", "_REMOTE", "_PUSH"):
        monkeypatch.delenv(f"EDGEFLOW_STORE{name}", raising=False)
    assert current_store() == current_cache() == Store(tmp_path / ".cache/edgeflow/store")
    monkeypatch.setenv("EDGEFLOW_STORE", "~/mine")
    assert current_store() == Store(tmp_path / "mine")
    monkeypatch.setenv("EDGEFLOW_STORE_REMOTE", "s3://bucket")
    near = Store(tmp_path / "mine")
    assert current_cache() == Tiers(near, Remote("s3://bucket", False, near))
    monkeypatch.setenv("EDGEFLOW_STORE_PUSH", "true")
    assert current_cache() == Tiers(near, Remote("s3://bucket", True, near))
    monkeypatch.setenv("EDGEFLOW_STORE", "off")
    assert current_store() is None
    assert current_cache() is None
