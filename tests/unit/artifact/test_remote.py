import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from edgeflow.artifact import remote as module
from edgeflow.artifact.remote import Remote, RemoteError, connect, within
from edgeflow.artifact.step import StepSpec, run_step
from edgeflow.artifact.store import Store, blob_name
from edgeflow.artifact.tiers import Tiers, current_cache
from tests.unit.artifact.conftest import Make
from tests.unit.artifact.remotes import s3_server, sftp_server, silent_server
from tests.unit.artifact.test_store import FILES, contents


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test sees the keys, hosts or clouds of whoever runs it."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "FSSPEC_", "SSH_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    with s3_server() as url:
        yield url


def use_s3(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "me")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


@pytest.fixture(params=["file", "sftp", "s3"])
def url(
    request: pytest.FixtureRequest, tmp_path: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """An empty remote store of each kind."""
    monkeypatch.setattr(module, "CONTACT_S", 30.0)  # a busy machine is not what is tested
    share = tmp_path / "share"
    (share / "team").mkdir(parents=True)
    if request.param == "file":
        yield f"file://{share}/team"
    elif request.param == "sftp":
        with sftp_server(share, own_home) as server:
            yield f"{server}team"
    else:
        use_s3(request.getfixturevalue("s3"), monkeypatch)
        bucket = f"bucket-{os.urandom(4).hex()}"
        files, _ = connect(f"s3://{bucket}/team")
        files.mkdir(bucket)
        yield f"s3://{bucket}/team"


@pytest.fixture
def near(tmp_path: Path) -> Callable[[str], Store]:
    return lambda name: Store(tmp_path / "near" / name)


Near = Callable[[str], Store]


def test_what_one_builds_another_finds(
    url: str, near: Near, make: Make, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    entry, folder = make()
    Tiers(near("a"), Remote(url, True, near("a"))).put(entry, folder)
    other = Tiers(near("b"), Remote(url, False, near("b")))
    assert other.fetch(entry.key, tmp_path / "out") == entry
    assert contents(tmp_path / "out") == FILES
    assert near("b").fetch(entry.key, tmp_path / "near-out") == entry
    assert contents(tmp_path / "near-out") == FILES
    assert other.fetch(make(epochs=9)[0].key, tmp_path / "none") is None
    assert capfd.readouterr().err == ""
    assert {path.name for path in near("b").root.iterdir()} == {"blobs", "entries"}


def test_without_push_nothing_is_sent(url: str, near: Near, make: Make, tmp_path: Path) -> None:
    entry, folder = make()
    Remote(url, False, near("a")).put(entry, folder)
    files, path = connect(url)
    assert files.find(path) == []


@pytest.mark.parametrize("push", [True, False])
@pytest.mark.parametrize("victim", ["blobs", "entries"])
def test_bad_bytes_are_not_used(
    url: str, near: Near, make: Make, tmp_path: Path, victim: str, push: bool,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    entry, folder = make()
    Remote(url, True, near("a")).put(entry, folder)
    files, path = connect(url)
    bad = files.find(f"{path}/{victim}")[0]
    files.pipe_file(bad, bytes(len(files.cat_file(bad))))
    tiers = Tiers(near("b"), Remote(url, push, near("b")))
    (tmp_path / "out").mkdir()
    assert tiers.fetch(entry.key, tmp_path / "out") is None
    assert list((tmp_path / "out").iterdir()) == []
    [line] = capfd.readouterr().err.splitlines()
    assert line.startswith(f"the remote store {url} has a bad {entry.key[:12]}: ")
    files, path = connect(url)
    assert files.exists(bad) != push
    tiers.put(entry, folder)
    found = Remote(url, False, near("c")).fetch(entry.key, tmp_path / "again")
    assert (found == entry) == push


@pytest.mark.parametrize("victim", ["blobs", "entries"])
@pytest.mark.parametrize("kind", ["pipe", "deep", "endless"])
def test_what_is_no_entry_or_blob_is_replaced(
    near: Near, make: Make, tmp_path: Path, victim: str, kind: str
) -> None:
    entry, folder = make()
    share = tmp_path / "share"
    share.mkdir()
    Remote(f"file://{share}", True, near("a")).put(entry, folder)
    bad = next(path for path in sorted((share / victim).rglob("*")) if path.is_file())
    bad.unlink()
    if kind == "pipe":
        os.mkfifo(bad)
    elif kind == "deep":
        bad.write_bytes(b"[" * 100_000)
    else:
        bad.touch()
        os.truncate(bad, 1 << 40)
    (tmp_path / "out").mkdir()
    remote = Remote(f"file://{share}", True, near("b"))
    assert remote.fetch(entry.key, tmp_path / "out") is None
    remote.put(entry, folder)
    assert remote.fetch(entry.key, tmp_path / "out") == entry


def test_a_torn_upload_is_sent_again(url: str, near: Near, make: Make, tmp_path: Path) -> None:
    entry, folder = make()
    files, path = connect(url)
    blob = f"{path}/{blob_name(entry.files['model.bin'].sha256)}"
    if not url.startswith("s3:"):
        files.makedirs(blob.rpartition("/")[0], exist_ok=True)
    files.pipe_file(blob, b"wei")
    Remote(url, True, near("a")).put(entry, folder)
    assert Remote(url, False, near("b")).fetch(entry.key, tmp_path / "out") == entry


def test_the_entry_goes_last(near: Near, make: Make, tmp_path: Path) -> None:
    entry, folder = make()
    (tmp_path / "share").mkdir()
    url = f"file://{tmp_path}/share"
    (folder / "sub" / "notes").unlink()  # the transfer breaks in the middle
    Remote(url, True, near("a")).put(entry, folder)
    assert len(list((tmp_path / "share").glob("blobs/*/*"))) == 1
    assert list((tmp_path / "share").glob("entries/*/*")) == []
    assert Remote(url, False, near("b")).fetch(entry.key, tmp_path / "out") is None


@pytest.fixture(
    params=["refused", "silent s3", "silent sftp", "unknown host", "no folder", "no bucket"]
)
def down(
    request: pytest.FixtureRequest, tmp_path: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, str]]:
    """A remote store that cannot be used, and what is said of it."""
    kind = request.param
    if kind == "refused":
        use_s3("http://127.0.0.1:9", monkeypatch)
        yield "s3://bucket/team", "connect"
    elif kind == "silent s3":
        monkeypatch.setattr(module, "CONTACT_S", 0.5)
        with silent_server() as port:
            use_s3(f"http://127.0.0.1:{port}", monkeypatch)
            yield "s3://bucket/team", "no answer in"
    elif kind == "silent sftp":
        monkeypatch.setattr(module, "CONTACT_S", 0.5)
        with silent_server() as port:
            yield f"sftp://me@127.0.0.1:{port}/team", ""
    elif kind == "unknown host":
        (tmp_path / "share" / "team").mkdir(parents=True)
        with sftp_server(tmp_path / "share", own_home, known=False) as server:
            yield f"{server}team", "host key"
    elif kind == "no folder":
        yield f"file://{tmp_path}/not-mounted", "is not a folder"
    else:
        use_s3(request.getfixturevalue("s3"), monkeypatch)
        yield "s3://no-such-bucket/team", "bucket"


def test_one_that_is_down_fails_nothing_and_is_left_alone(
    down: tuple[str, str], near: Near, make: Make, tmp_path: Path,
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    url, said = down
    entry, folder = make()
    (tmp_path / "out").mkdir()
    tiers = Tiers(near("a"), Remote(url, True, near("a")))
    assert tiers.fetch(entry.key, tmp_path / "out") is None
    tiers.put(entry, folder)
    [line] = capfd.readouterr().err.splitlines()
    assert line.startswith(f"the remote store {url} is left out for 60 s: ")
    assert said in line
    assert tiers.fetch(entry.key, tmp_path / "out") == entry  # the local one works
    assert not (tmp_path / "not-mounted").exists()

    tried: list[str] = []

    def connect_again(url: str) -> None:
        tried.append(url)
        raise FileNotFoundError("still down")

    monkeypatch.setattr(module, "connect", connect_again)
    Remote(url, True, near("a")).fetch(entry.key, tmp_path / "out2")  # as another process
    assert (tried, capfd.readouterr().err) == ([], "")
    [marker] = near("a").root.glob("down-*")
    os.utime(marker, (time.time() - 61, time.time() - 61))
    Remote(url, True, near("a")).fetch(entry.key, tmp_path / "out2")
    assert tried == [url]


def test_a_secret_in_the_environment_is_not_said(
    near: Near, capsys: pytest.CaptureFixture[str]
) -> None:
    url = "sftp://me:hunter2@127.0.0.1:1/store"
    assert Remote(url, True, near("one")).fetch("0" * 64, Path()) is None
    said = capsys.readouterr().err
    assert "sftp://…@127.0.0.1:1/store is left out" in said
    assert "hunter2" not in said


def test_a_changed_host_key_is_refused(
    tmp_path: Path, own_home: Path, near: Near, make: Make, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "share" / "team").mkdir(parents=True)
    with sftp_server(tmp_path / "share", own_home) as server:
        known = own_home / ".ssh" / "known_hosts"
        host, kind, _ = known.read_text().split()
        other = "AAAAC3NzaC1lZDI1NTE5AAAAIB" + "A" * 41 + "B"
        known.write_text(f"{host} {kind} {other}\n")
        Remote(f"{server}team", True, near("a")).put(*make())
    assert "host key" in capfd.readouterr().err
    assert list((tmp_path / "share" / "team").iterdir()) == []


def test_a_missing_package_is_said(
    near: Near, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def missing(protocol: str) -> None:
        raise ImportError(f"Install s3fs to access {protocol}")

    monkeypatch.setattr(fsspec, "get_filesystem_class", missing)
    assert Remote("s3://bucket", False, near("a")).fetch("0" * 64, tmp_path / "out") is None
    assert "Install s3fs to access s3" in capfd.readouterr().err


def test_an_answer_that_comes_too_late_changes_nothing(
    near: Near, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry, folder = make()
    (tmp_path / "share").mkdir()
    url, out = f"file://{tmp_path}/share", tmp_path / "out"
    Remote(url, True, near("a")).put(entry, folder)
    monkeypatch.setattr(module, "CONTACT_S", 0.3)
    remote, go, over = Remote(url, False, near("b")), threading.Event(), threading.Event()
    files, _ = connect(url)
    real = type(files).get_file

    def late(self: Any, path: str, target: str, **options: Any) -> None:
        go.wait(120)
        try:
            real(self, path, target, **options)
        finally:
            over.set()

    monkeypatch.setattr(type(files), "get_file", late)
    out.mkdir()
    assert remote.fetch(entry.key, out) is None
    go.set()
    assert over.wait(120)
    assert list(out.iterdir()) == []


def test_a_local_store_that_cannot_be_written_fails_nothing(
    near: Near, make: Make, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    entry, folder = make()
    (tmp_path / "share").mkdir()
    url = f"file://{tmp_path}/share"
    Remote(url, True, near("a")).put(entry, folder)
    near("b").root.parent.mkdir(exist_ok=True)
    near("b").root.write_text("in the way")
    (tmp_path / "out").mkdir()
    tiers = Tiers(near("b"), Remote(url, False, near("b")))
    assert tiers.fetch(entry.key, tmp_path / "out") is None
    assert f"nothing can be taken from {url}: File exists" in capfd.readouterr().err
    tiers.put(entry, folder)
    assert "cannot keep net: Not a directory" in capfd.readouterr().err


def test_within_passes_on_what_it_is_told() -> None:
    assert within(5, lambda: 3) == 3
    assert within(5, lambda: None) is None
    with pytest.raises(RemoteError, match="ZeroDivisionError: "):
        within(5, lambda: 1 // 0)
    with pytest.raises(RemoteError, match="no answer in 0 s"):
        within(0.01, lambda: time.sleep(0.5))


def test_steps_use_what_their_environment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "share").mkdir()
    monkeypatch.setenv("EDGEFLOW_STORE_REMOTE", f"file://{tmp_path}/share")
    monkeypatch.setenv("EDGEFLOW_STORE_PUSH", "true")
    runs: list[str] = []

    def build(folder: Path) -> dict[str, object]:
        runs.append(folder.name)
        (folder / "model.bin").write_bytes(b"model")
        return {"accuracy": 0.5}

    spec = StepSpec(step="train", name="net", inputs={}, slice={"epochs": 2}, code="c0de")
    for machine in ("a", "b"):
        monkeypatch.setenv("EDGEFLOW_STORE", str(tmp_path / machine / "store"))
        run_step(spec, tmp_path / machine / "out", build)
    assert len(runs) == 1
    assert contents(tmp_path / "a" / "out") == contents(tmp_path / "b" / "out")
    monkeypatch.setenv("EDGEFLOW_STORE", "off")
    assert current_cache() is None


@pytest.mark.parametrize("kind", ["s3", "sftp"])
def test_a_process_with_a_silent_remote_says_so_and_ends(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = (
        "import pathlib, sys\n"
        "from edgeflow.artifact import remote\n"
        "remote.CONTACT_S = 0.3\n"
        "store = remote.Store(pathlib.Path('near'))\n"
        "pathlib.Path('out').mkdir()\n"
        "print(remote.Remote(sys.argv[1], True, store).fetch('0' * 64, pathlib.Path('out')))\n"
    )
    with silent_server() as port:
        use_s3(f"http://127.0.0.1:{port}", monkeypatch)
        url = "s3://bucket" if kind == "s3" else f"sftp://me@127.0.0.1:{port}/team"
        monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
        done = subprocess.run(
            [sys.executable, "-c", program, url],
            cwd=tmp_path, capture_output=True, text=True, check=True, timeout=300,
        )  # fmt: skip
    assert done.stdout == "None\n"
    [line] = done.stderr.splitlines()
    assert line.startswith(f"the remote store {url} is left out for 60 s: ")


def test_entries_on_the_remote_are_the_same_text(near: Near, make: Make, tmp_path: Path) -> None:
    entry, folder = make()
    (tmp_path / "share").mkdir()
    Tiers(near("a"), Remote(f"file://{tmp_path}/share", True, near("a"))).put(entry, folder)
    there = Store(tmp_path / "share").entry_path(entry.key).read_text()
    assert there == near("a").entry_path(entry.key).read_text()
    assert json.loads(there)["name"] == "net"
