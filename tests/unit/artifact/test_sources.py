"""Changes of source files that bring their old times along, and what an index may be believed."""

import os
import shutil
import subprocess
import threading
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from edgeflow.artifact import sources
from edgeflow.artifact.entry import Entry
from edgeflow.artifact.hashing import sha256_file
from edgeflow.artifact.sources import Sources, planned_digest
from edgeflow.artifact.step import StepSpec, run_step
from edgeflow.artifact.store import Store
from edgeflow.errors import IntegrityError

LONG_AGO = (1_600_000_000, 1_600_000_000)


def write(path: Path, text: str) -> None:
    """Write a file as a copy that keeps its time does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, LONG_AGO)


@pytest.fixture
def pets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two classes of two files each, all of one size and time."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sources, "RACY_NS", -(10**12))  # what was written just now counts as old
    for name in ("cat/1", "cat/2", "dog/1", "dog/2"):
        write(tmp_path / "pets" / name, f"<{name}>")
    return tmp_path / "pets"


def files(folder: Path) -> Mapping[str, Path]:
    return {str(p.relative_to(folder)): p for p in sorted(folder.rglob("*")) if p.is_file()}


def planned(folder: Path) -> str:
    return planned_digest("dataset", "pets", lambda: files(folder))


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files whose bytes are read, as they are."""
    read: list[str] = []

    def noted(path: Path) -> str:
        read.append(path.name)
        return sha256_file(path)

    monkeypatch.setattr(sources, "sha256_file", noted)
    return read


def overwrite(pets: Path) -> None:
    write(pets / "cat/1", "<CAT/1>")


def overwrite_in_place(pets: Path) -> None:
    with (pets / "cat/1").open("r+") as file:
        file.write("<CAT")
    os.utime(pets / "cat/1", LONG_AGO)


def swap(pets: Path) -> None:
    for old, new in (("cat/1", "x"), ("dog/1", "cat/1"), ("x", "dog/1")):
        (pets / old).rename(pets / new)


def copy_with_its_time(pets: Path) -> None:
    shutil.copy2(pets / "dog/1", pets / "cat/1")


def replace(pets: Path) -> None:
    write(pets.parent / "new", "<CAT/1>")
    (pets.parent / "new").replace(pets / "cat/1")


def link(pets: Path) -> None:
    write(pets.parent / "new", "<CAT/1>")
    (pets / "cat/1").unlink()
    (pets / "cat/1").symlink_to(pets.parent / "new")


def unzip(pets: Path) -> None:
    with zipfile.ZipFile(pets.parent / "a.zip", "w") as archive:
        archive.writestr("cat/1", "<CAT/1>")
    with zipfile.ZipFile(pets.parent / "a.zip") as archive:
        archive.extractall(pets)
    os.utime(pets / "cat/1", LONG_AGO)  # as `unzip` restores it


def git_checkout(pets: Path) -> None:
    """Check out another commit; within one tick of the clock the time may be the same."""

    def git(*arguments: str) -> None:
        identity = ("-c", "user.name=a", "-c", "user.email=a@b")
        command = ["git", "--git-dir=../git", "--work-tree=.", *identity, *arguments]
        subprocess.run(command, cwd=pets, check=True, capture_output=True)

    git("init")
    git("add", ".")
    git("commit", "--message=one")
    (pets / "cat/1").write_text("<CAT/1>")
    git("commit", "--all", "--message=two")
    git("tag", "two")
    git("checkout", "HEAD~1")
    git("checkout", "two")
    os.utime(pets / "cat/1", LONG_AGO)


def rename(pets: Path) -> None:
    (pets / "cat/1").rename(pets / "cat/3")


def add(pets: Path) -> None:
    write(pets / "cat/0", "<cat/0>")


def remove(pets: Path) -> None:
    (pets / "cat/1").unlink()


CHANGES = (
    *(overwrite, overwrite_in_place, swap, copy_with_its_time, replace, link, unzip, git_checkout),
    *(rename, add, remove),
)


@pytest.mark.parametrize("change", CHANGES)
def test_no_change_goes_unnoticed(pets: Path, change: Callable[[Path], None]) -> None:
    before = planned(pets)
    assert planned(pets) == before
    change(pets)
    after = planned(pets)
    assert after != before
    assert planned(pets) == after


def test_only_files_that_may_have_changed_are_read(pets: Path, reads: list[str]) -> None:
    before = planned(pets)
    reads.clear()
    os.utime(pets / "dog/2")
    assert planned(pets) == before
    assert reads == ["2"]
    planned(pets)
    assert reads == ["2"]


def test_the_name_counts_and_the_folder_does_not(pets: Path) -> None:
    before = planned(pets)
    assert planned(pets.rename(pets.parent / "moved")) == before


def test_a_file_that_has_just_changed_is_read_again(
    pets: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within one tick of the clock it may change again, and no time would tell."""
    monkeypatch.setattr(sources, "RACY_NS", 10**12)
    planned(pets)
    planned(pets)
    assert len(reads) == 8


def flip(index: Path) -> None:
    text = index.read_text()
    place = text.rindex('"]')
    index.write_text(f"{text[: place - 1]}{'1' if text[place - 1] == '0' else '0'}{text[place:]}")


@pytest.mark.parametrize(
    "damage",
    [
        flip,
        lambda index: index.write_bytes(index.read_bytes()[:-9]),
        lambda index: index.write_bytes(b""),
        lambda index: index.write_bytes(b"\xff\xfe\0"),
        lambda index: index.write_text("{}"),
    ],
)
def test_a_damaged_index_is_not_believed(pets: Path, damage: Callable[[Path], object]) -> None:
    before = planned(pets)
    damage(Path(".edgeflow/sources/dataset/pets.json"))
    assert planned(pets) == before


def test_a_folder_that_cannot_hold_an_index_costs_time_only(
    pets: Path, reads: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path(".edgeflow").write_text("no folder")
    assert planned(pets) == planned(pets)
    assert len(reads) == 8
    assert "cannot be written" in capsys.readouterr().err


def test_processes_may_plan_at_once(pets: Path) -> None:
    expected = planned(pets)
    found: list[str] = []

    def plan() -> None:
        for _ in range(20):
            os.utime(pets / "cat/1")  # so that each writes the index
            found.append(planned(pets))

    threads = [threading.Thread(target=plan) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 60


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("EDGEFLOW_STORE", str(tmp_path / "store"))
    return Store(tmp_path / "store")


def spec_of(pets: Path, digest: str = "") -> StepSpec:
    inputs = {"source": Sources("dataset", "pets", lambda: files(pets), digest)}
    return StepSpec(step="dataset", name="pets", inputs=inputs, slice={}, code="c0de")


def entries(store: Store) -> list[Entry]:
    return list(store.entries())


@pytest.mark.parametrize("change", CHANGES)
def test_what_changed_while_it_was_read_is_not_stored(
    pets: Path, store: Store, change: Callable[[Path], None]
) -> None:
    def build(folder: Path) -> dict[str, object]:
        change(pets)
        (folder / "x.npy").write_text(" ".join(path.read_text() for path in files(pets).values()))
        return {}

    with pytest.raises(IntegrityError, match="pets: the source .* changed while it was read"):
        run_step(spec_of(pets), pets.parent / "out", build)
    assert entries(store) == []
    assert not (pets.parent / "out").exists()


def test_what_changed_since_it_was_planned_is_not_built(pets: Path, store: Store) -> None:
    digest = planned(pets)
    overwrite(pets)
    with pytest.raises(IntegrityError, match="changed since this job was planned") as caught:
        run_step(spec_of(pets, digest), pets.parent / "out", lambda _: {})
    assert "run `edgeflow run` again" in caught.value.hint
    run_step(spec_of(pets, planned(pets)), pets.parent / "out", lambda _: {})
    assert len(entries(store)) == 1


def test_the_step_does_not_believe_the_index(
    pets: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a file system whose ctime tells nothing, the next plan reads everything anew."""
    digest = planned(pets)
    monkeypatch.setattr(sources, "_status", lambda _: (0, 0, 0, 0, 0))
    planned(pets)
    overwrite(pets)
    assert planned(pets) == digest
    with pytest.raises(IntegrityError, match="since this job was planned"):
        run_step(spec_of(pets, digest), pets.parent / "out", lambda _: {})
    assert planned(pets) != digest
