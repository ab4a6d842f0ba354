"""What the agent has done survives a power cut: files before their names, names before the end."""

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from edgeflow.ondevice import agent
from tests.unit.deploy.test_agent import damage, in_use, install
from tests.unit.deploy.trials import put_in_use

if TYPE_CHECKING:
    from tests.unit.deploy.conftest import Call


class Disk:
    """Knows which names and contents a power cut could still take away."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.synced: set[str] = set()
        self.unsynced: set[str] = set()  # folders with new or removed names
        self.early: list[str] = []  # files named before their content was safe
        self._sync = os.fsync
        patch.setattr(os, "fsync", self.fsync)
        for owner, name in ((os, "rename"), (os, "replace")):
            patch.setattr(owner, name, self.moving(getattr(owner, name)))
        for owner, name in ((os, "unlink"), (os, "rmdir"), (shutil, "rmtree")):
            patch.setattr(owner, name, self.removing(getattr(owner, name)))

    def fsync(self, descriptor: int) -> None:
        path = str(Path(f"/proc/self/fd/{descriptor}").readlink())
        self.synced.add(path)
        self.unsynced.discard(path)
        self._sync(descriptor)

    def moving(self, move: Callable[..., None]) -> Callable[..., None]:
        def moved(source: str, target: str) -> None:
            if Path(source).is_file() and not Path(source).is_symlink():
                self.early += [] if source in self.synced else [source]
            move(source, target)
            if not Path(target).name.startswith(".tmp-"):
                self.unsynced.add(str(Path(target).parent))

        return moved

    def removing(self, remove: Callable[..., None]) -> Callable[..., None]:
        def removed(path: Any, *arguments: Any, **options: Any) -> None:
            remove(path, *arguments, **options)
            if Path(path).name in ("current", "net"):
                self.unsynced.add(str(Path(path).parent))

        return removed


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def safe(disk: Disk) -> bool:
    """Tell whether all is on the disk, and files were before they got their names."""
    return not disk.unsynced and not disk.early


def test_each_verb_ends_with_all_on_the_disk(call: "Call", folder: Path, disk: Disk) -> None:
    one = install(call, folder, b"one")
    assert safe(disk)
    assert put_in_use(call, one)[0] == 0
    assert safe(disk)
    two = in_use(call, folder, b"two")
    damage(folder / "releases" / two / "data" / "model")
    assert install(call, folder, b"two") == two
    assert safe(disk)
    for sha, to in ((two, one), (one, None)):
        assert call("rollback", sha)[1]["current"] == to
        assert safe(disk)
    assert agent.main(["forget", str(folder)]) == 0
    assert safe(disk)
    assert str(folder.parent) in disk.synced


def test_stored_data_is_on_the_disk(tmp_path: Path, disk: Disk) -> None:
    sha = hashlib.sha256(b"samples").hexdigest()
    (tmp_path / f"{sha}.part").write_bytes(b"samples")
    assert agent.main(["store-data", str(tmp_path), sha, "x.npy"]) == 0
    assert safe(disk)
    assert str(tmp_path) in disk.synced  # the name of the new folder
