import errno
import json
import multiprocessing
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from edgeflow.artifact import store as module
from edgeflow.artifact.clone import clone
from edgeflow.artifact.collect import collect
from edgeflow.artifact.entry import Entry, describe, unseal
from edgeflow.artifact.store import Store
from tests.unit.artifact.conftest import Make

FILES = {"model.bin": b"weights", "sub/notes": b"text"}


def make_pipe(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def make_endless(path: Path) -> None:
    path.touch()
    os.truncate(path, 1 << 40)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def test_what_is_put_is_fetched(store: Store, make: Make, out: Path) -> None:
    entry, folder = make(epochs=2)
    assert store.fetch(entry.key, out) is None
    store.put(entry, folder)
    shutil.rmtree(folder)
    assert store.fetch(entry.key, out) == entry
    assert contents(out) == FILES
    for path in (out / "model.bin", store.blob_path(entry.files["model.bin"].sha256)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o444


def test_equal_bytes_are_kept_once(store: Store, make: Make) -> None:
    for epochs in (1, 2, 3):
        store.put(*make(epochs=epochs))
    assert len(list(store.entries())) == 3
    assert len(list(store.root.glob("blobs/*/*"))) == 2


OTHER = "has other bytes than were stored"


@pytest.mark.parametrize(
    ("harm", "why"),
    [
        (lambda path: path.write_bytes(b"weighty"), OTHER),
        (lambda path: path.write_bytes(b"txet"), OTHER),
        (lambda path: path.write_bytes(b"wei"), OTHER),
        (lambda path: path.write_bytes(b""), OTHER),
        (lambda path: path.unlink(), "is not in the store any more"),
        (make_pipe, "is no regular file"),
        (lambda path: (path.unlink(), path.symlink_to("/dev/zero")), "is no regular file"),
        (make_endless, OTHER),
    ],
    ids=["longer", "changed", "cut", "empty", "gone", "pipe", "device", "endless"],
)
def test_a_corrupt_file_is_dropped_said_and_made_again(
    store: Store, make: Make, out: Path, harm: Any, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    entry, folder = make()
    store.put(entry, folder)
    blob = store.blob_path(entry.files["sub/notes"].sha256)
    (store.root / "copy").write_bytes(b"text")
    blob.unlink()
    (store.root / "copy").rename(blob)  # no hard link of the outputs
    harm(blob)
    assert store.fetch(entry.key, out) is None
    assert list(out.iterdir()) == []
    assert f"the store drops {entry.key[:12]}: sub/notes {why}; it" in capsys.readouterr().err
    assert not os.path.lexists(blob)
    assert list(store.entries()) == []
    store.put(entry, folder)
    assert store.fetch(entry.key, out) == entry
    assert contents(out) == FILES


def test_verify_names_and_drops_what_is_wrong(
    store: Store, make: Make, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    entry, folder = make()
    store.put(entry, folder)
    assert store.verify(entry) == []
    assert store.find(entry.key) == entry
    weights, notes = (store.blob_path(blob.sha256) for blob in entry.files.values())
    notes.unlink()
    shutil.rmtree(weights.parent)
    weights.parent.write_bytes(b"")  # a file where a folder was
    wrong = [
        "model.bin cannot be read: Not a directory",
        "sub/notes is not in the store any more",
    ]
    assert store.verify(entry) == wrong
    assert store.find(entry.key) is None
    assert f"drops {entry.key[:12]}: {'; '.join(wrong)}; it" in capsys.readouterr().err

    weights.parent.unlink()
    store.put(entry, folder)
    notes.chmod(0o644)
    notes.write_bytes(b"txet")
    assert store.verify(entry) == [f"sub/notes {OTHER}"]
    assert not notes.exists()

    def refuse(path: Path) -> str:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(module, "sha256_file", refuse)
    assert "model.bin cannot be read: Permission denied" in store.verify(entry)


def test_what_is_there_is_not_written_again(store: Store, make: Make) -> None:
    entry, folder = make(files={"a/b/c": b"deep"})
    store.put(entry, folder)
    blob = store.blob_path(entry.files["a/b/c"].sha256)
    os.utime(blob, (1, 1))
    before = blob.stat().st_ino
    store.put(*make(files={"a/b/c": b"deep"}))
    assert blob.stat().st_ino == before
    made = blob.stat().st_mtime_ns
    assert made > 1e9  # `collect` spares what is new
    os.utime(blob, ns=(made - 10**9, made - 10**9))
    store.put(*make(files={"a/b/c": b"deep"}))
    assert blob.stat().st_mtime_ns == made - 10**9  # a result that links it has this time too


def test_a_file_in_deep_folders(store: Store, make: Make, out: Path) -> None:
    entry, folder = make(files={"a/b/c": b"deep"})
    store.put(entry, folder)
    assert store.fetch(entry.key, out) == entry
    assert contents(out) == {"a/b/c": b"deep"}


def test_keys_of_one_age_are_in_order(store: Store, make: Make) -> None:
    for epochs in range(6):
        store.put(*make(epochs=epochs))
    for path in store.root.glob("entries/*/*.json"):
        os.utime(path, (1, 1))
    keys = store.keys_by_use()
    assert keys == sorted(keys)
    assert store.last_used_unix_s(keys[0]) == 1.0
    assert store.last_used_unix_s("0" * 64) == 0.0


def test_an_entry_is_sealed(store: Store, make: Make, out: Path) -> None:
    entry, folder = make()
    for position in range(0, len(entry.sealed()) - 1, 7):
        store.put(entry, folder)
        path = store.entry_path(entry.key)
        data = bytearray(path.read_bytes())
        data[position] ^= 1
        path.write_bytes(data)
        assert store.fetch(entry.key, out) is None
        assert not path.exists()


@pytest.mark.parametrize(
    "harm",
    [
        make_pipe,
        lambda path: path.symlink_to("/dev/zero"),
        lambda path: path.write_bytes(b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
        lambda path: path.write_bytes(b"[" * 900 + b"]" * 900),
        make_endless,
    ],
    ids=["pipe", "device", "deep", "list", "endless"],
)
def test_an_entry_that_is_none_neither_hangs_nor_ends_the_step(
    store: Store, make: Make, out: Path, harm: Any
) -> None:
    entry, folder = make()
    path = store.entry_path(entry.key)
    path.parent.mkdir(parents=True)
    harm(path)
    assert store.fetch(entry.key, out) is None
    store.put(entry, folder)
    assert store.fetch(entry.key, out) == entry


@pytest.mark.parametrize("name", ["../evil", "a\0b", "/etc/evil", "a/../../evil"])
def test_an_entry_cannot_name_files_outside(make: Make, name: str) -> None:
    value = make()[0].model_dump()
    value["files"] = {name: value["files"]["model.bin"]}
    with pytest.raises(ValueError, match="leaves the folder"):
        Entry.model_validate(value)


def test_a_blob_is_named_by_a_digest_only(make: Make) -> None:
    value = make()[0].model_dump()
    value["files"]["model.bin"]["sha256"] = "../../../etc/passwd"
    with pytest.raises(ValueError, match="pattern"):
        Entry.model_validate(value)


def test_an_entry_says_what_it_is_and_cannot_be_changed(make: Make) -> None:
    entry, _ = make()
    assert (entry.step, entry.name, entry.size_bytes) == ("train", "net", len(b"weightstext"))
    for thing, name in ((entry, "name"), (entry.files["model.bin"], "sha256")):
        with pytest.raises(ValueError, match="frozen"):
            setattr(thing, name, "other")


def test_an_entry_of_another_key_is_none(make: Make) -> None:
    with pytest.raises(ValueError, match="another key"):
        unseal(make(epochs=1)[0].sealed(), make(epochs=2)[0].key)


def test_a_full_disk_is_said_and_fails_nothing(
    store: Store, make: Make, out: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    entry, folder = make()

    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for place in ("clone", "fsync", "write_text"):
        with monkeypatch.context() as patch:
            patch.setattr(module, place, full)
            store.put(entry, folder)
        said = f"the store {store.root} cannot keep net: No space left on device"
        assert said in capsys.readouterr().err
        assert store.fetch(entry.key, out) is None
        assert contents(folder) == FILES
        assert list(store.root.rglob(".*")) == []
    store.put(entry, folder)
    clones = []

    def full_later(source: Path, target: Path) -> None:
        clones.append(target)
        clone(source, target) if len(clones) == 1 else full()

    with monkeypatch.context() as patch:
        patch.setattr(module, "clone", full_later)
        assert store.fetch(entry.key, out) is None  # the step's own folder is full
    assert list(out.iterdir()) == []
    assert f"{store.root} cannot give net: No space left" in capsys.readouterr().err
    assert store.fetch(entry.key, out) == entry


def test_a_really_full_file_system(tmp_path: Path) -> None:
    if subprocess.run(["unshare", "-rm", "true"], check=False).returncode != 0:
        pytest.skip("needs user and mount namespaces")
    (tmp_path / "small").mkdir()
    program = """
import sys, pathlib
from edgeflow.artifact.entry import describe
from edgeflow.artifact.store import Store
store, folder = Store(pathlib.Path("small/store")), pathlib.Path("made")
for count, size in enumerate((100_000, 2_000_000, 100_001)):
    folder.mkdir(exist_ok=True)
    (folder / "model.bin").write_bytes(b"x" * size)
    store.put(describe(f"net{count}", {"step": "train", "size": size}, folder), folder)
print(*(entry.name for entry in store.entries()))
print(len([path for path in store.root.rglob("*") if path.is_file()]))
"""
    script = 'mount -t tmpfs -o size=1m none small; exec "$0" -c "$1"'
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, sys.executable, program],
        cwd=tmp_path, capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )  # fmt: skip
    assert done.stdout.split() == ["net0", "net2", "4"]
    assert done.stderr == "the store small/store cannot keep net1: No space left on device\n"


def test_a_read_only_store_still_gives(
    store: Store, make: Make, out: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    kept, new = make(epochs=1), make(files={"other.bin": b"other"}, epochs=2)
    store.put(*kept)
    real = os.utime

    def utime(path: Path, *arguments: Any) -> None:
        if store.root in Path(path).parents:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        real(path, *arguments)

    def mkdtemp(*arguments: Any, **options: Any) -> str:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "utime", utime)
    monkeypatch.setattr(tempfile, "TemporaryDirectory", mkdtemp)
    assert store.fetch(kept[0].key, out) == kept[0]
    assert capsys.readouterr().err == ""
    store.put(*new)
    assert "cannot keep net: Read-only file system" in capsys.readouterr().err


def test_sigkill_in_a_put_leaves_nothing_that_is_served(tmp_path: Path, store: Store) -> None:
    program = (
        "import sys, pathlib\n"
        "from edgeflow.artifact.store import Store\n"
        "from tests.unit.artifact.test_store import outputs\n"
        "for version in range(10**6):\n"
        "    entry, folder = outputs(pathlib.Path(sys.argv[1]), version)\n"
        "    print(entry.key, flush=True)\n"
        "    Store(pathlib.Path(sys.argv[2])).put(entry, folder)\n"
    )
    for delay in (0.0, 0.001, 0.002, 0.005, 0.01):
        scratch = tmp_path / f"scratch-{delay}"
        with subprocess.Popen(
            [sys.executable, "-c", program, str(scratch), str(store.root)],
            stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3],
        ) as process:  # fmt: skip
            assert process.stdout is not None
            keys = [process.stdout.readline().strip()]
            time.sleep(delay)
            process.send_signal(signal.SIGKILL)
            keys += process.stdout.read().split()
        for number, key in enumerate(keys):
            check_fetch(store, key, tmp_path / f"out-{delay}-{number}")
    collect(store, grace_s=-1, max_size_bytes=0)
    assert [path for path in store.root.rglob("*") if path.is_file()] == []
    assert list(store.root.rglob(".part-*")) == []


def outputs(folder: Path, version: int) -> tuple[Entry, Path]:
    """Write files that are a function of `version`, many of them shared by some versions."""
    place = folder / f"{version}-{random.getrandbits(60)}"
    place.mkdir(parents=True)
    for number in range(5):
        (place / f"{number}.bin").write_bytes(f"{(version + number) % 7}".encode() * 50_000)
    return describe(f"net{version}", {"step": "train", "version": version}, place), place


def check_fetch(store: Store, key: str, out: Path) -> bool:
    """Fetch a key; fail if anything but the right bytes, or nothing, is there."""
    out.mkdir(parents=True)
    entry = store.fetch(key, out)
    if entry is None:
        assert list(out.iterdir()) == []
        return False
    version = entry.identity["version"]
    assert isinstance(version, int)
    wanted = {f"{n}.bin": f"{(version + n) % 7}".encode() * 50_000 for n in range(5)}
    assert contents(out) == wanted
    return True


def hammer(root: Path, scratch: Path, seed: int, together: Any, results: Any) -> None:
    """Put, fetch, collect and harm at random; report the hits, or what went wrong."""
    store, choose, hits = Store(root), random.Random(seed), 0
    try:
        together.wait(300)
        for _ in range(60):
            entry, folder = outputs(scratch / str(seed), choose.randrange(10))
            action = choose.random()
            if action < 0.45:
                store.put(entry, folder)
            elif action < 0.9:
                hits += check_fetch(store, entry.key, folder / "out")
            elif action < 0.95:
                collect(store, max_size_bytes=choose.choice([0, 300_000]), grace_s=-1)
            else:
                corrupt(store, choose)
            shutil.rmtree(folder)
    except BaseException as error:
        results.put(f"{type(error).__name__}: {error}")
        raise
    results.put(hits)


def corrupt(store: Store, choose: random.Random) -> None:
    """Give one blob other bytes in one step, as a bad disk would."""
    blobs = [path for path in store.root.glob("blobs/*/*") if path.is_file()]
    if blobs:
        bad = store.root / f"bad-{choose.getrandbits(60)}"
        bad.write_bytes(b"0" * 50_000 + b"!")
        bad.replace(choose.choice(blobs))


def test_eight_processes_at_once_never_get_wrong_bytes(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    together = context.Barrier(8)
    processes = [
        context.Process(
            target=hammer, args=(tmp_path / "store", tmp_path / "scratch", seed, together, results)
        )
        for seed in range(8)
    ]
    for process in processes:
        process.start()
    outcomes = [results.get(timeout=300) for _ in processes]
    for process in processes:
        process.join()
    assert all(isinstance(outcome, int) for outcome in outcomes), outcomes
    assert sum(outcomes) > 20
    assert [process.exitcode for process in processes] == [0] * 8


def test_entries_are_json_for_people_too(store: Store, make: Make) -> None:
    entry, folder = make(epochs=2)
    store.put(entry, folder)
    value = json.loads(store.entry_path(entry.key).read_text())
    assert (value["name"], value["identity"]["slice"]) == ("net", {"epochs": 2})
