"""Programs and files of a session: their end, their limits, and logins that get in the way."""

import errno
import hashlib
import io
import os
import random
import signal
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from edgeflow.deploy.release import connect
from edgeflow.errors import DeployError, EdgeflowError, MissingToolError, UnreachableError
from edgeflow.remote import session as session_module
from edgeflow.remote.session import Session
from edgeflow.testing.fault_proxy import FaultProxy

if TYPE_CHECKING:
    from tests.unit.deploy.conftest import Lab

DISCONNECTS = ["kill", "orphan"]
FAMILY = "sleep 300 & echo $! > child; echo $$ > parent; wait"
"""A program with a child."""


def pids(root: Path) -> list[int]:
    return [int((root / name).read_text()) for name in ("parent", "child")]


@pytest.mark.parametrize("on_disconnect", DISCONNECTS)
def test_a_program_that_takes_too_long_ends_with_its_children(
    lab: "Lab", on_disconnect: str
) -> None:
    pi = lab.device()
    lab.behave(pi, on_disconnect=on_disconnect)
    with Session(lab.endpoint(pi)) as session:
        with pytest.raises(DeployError, match=r"within 0\.5 s; the device ended it") as caught:
            session.run(["sh", "-c", FAMILY], 0.5)
        assert all(lab.is_gone(pid) for pid in pids(lab.root(pi)))
        assert session.run(["true"], 10).exit_code == 0
    assert "run_timeout_s" in caught.value.hint


@pytest.mark.parametrize("on_disconnect", DISCONNECTS)
def test_a_program_ends_when_its_client_is_gone(lab: "Lab", on_disconnect: str) -> None:
    pi = lab.device()
    lab.behave(pi, on_disconnect=on_disconnect)
    with (
        FaultProxy(pi.port, "none") as proxy,
        Session(lab.endpoint(pi, port=proxy.port)) as session,
    ):

        def cut() -> None:
            lab.wait_until(lambda: (lab.root(pi) / "parent").exists())
            proxy.reset()

        cutter = threading.Thread(target=cut)
        cutter.start()
        with pytest.raises(UnreachableError, match="lost the connection"):
            session.run(["sh", "-c", FAMILY], 300)
        cutter.join()
    lab.wait_until(lambda: all(lab.is_gone(pid) for pid in pids(lab.root(pi))))


def test_what_a_program_leaves_behind_ends_with_it(lab: "Lab") -> None:
    pi = lab.device()
    with Session(lab.endpoint(pi)) as session:
        done = session.run(["sh", "-c", "sleep 300 & echo $!"], 60)
    lab.wait_until(lambda: lab.is_gone(int(done.stdout)))
    assert done.exit_code == 0


def test_a_daemon_of_its_own_session_neither_ends_nor_blocks(lab: "Lab") -> None:
    pi = lab.device()
    lab.behave(pi, on_disconnect="orphan")
    daemon = "setsid sh -c 'echo $$ > daemon; exec sleep 300' & while [ ! -s daemon ]; do :; done"
    with Session(lab.endpoint(pi)) as session:
        assert session.run(["sh", "-c", daemon], 60).exit_code == 0
    pid = int((lab.root(pi) / "daemon").read_text())
    assert not lab.is_gone(pid)
    os.kill(pid, signal.SIGKILL)


def test_a_session_whose_program_is_killed_on_the_device_says_so(lab: "Lab") -> None:
    with Session(lab.endpoint(lab.device())) as session:
        with pytest.raises(DeployError, match="ended the program while running `sh`"):
            session.run(["sh", "-c", "kill -9 $PPID; sleep 1"], 60)
        assert session.run(["true"], 10).exit_code == 0


def test_output_without_end_is_refused(lab: "Lab", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "OUTPUT_MAX_BYTES", 1 << 20)
    with Session(lab.endpoint(lab.device())) as session:
        with pytest.raises(DeployError, match="more than 1048576 bytes of output"):
            session.run(["yes"], 60)
        noisy = session.run(["sh", "-c", "yes | head -c 3000000 >&2; exit 3"], 60)
    assert noisy.exit_code == 3
    assert len(noisy.stderr) <= 1 << 16


def test_a_program_that_is_not_there(lab: "Lab") -> None:
    with Session(lab.endpoint(lab.device())) as session:
        done = session.run(["no-such-program"], 10)
    assert (done.exit_code, done.stderr) == (127, "no-such-program: No such file or directory")


def test_a_login_script_that_prints_changes_nothing(lab: "Lab", tmp_path: Path) -> None:
    pi = lab.device()
    lab.behave(pi, login='echo "Welcome to {}"; echo "quota: 9" >&2; printf "no newline"')
    (tmp_path / "sent").write_bytes(b"content")
    with connect(lab.endpoint(pi)) as device:
        assert device.status("net").current is None
        assert device._session.run(["echo", "out"], 10).stdout == "out\n"
        device._session.put(tmp_path / "sent", "file")
        device.fetch("file", tmp_path / "back", 7)
    assert (tmp_path / "back").read_bytes() == b"content"


LOGINS: dict[str, tuple[str, type[EdgeflowError], str]] = {
    "exits": ("echo 'This account is not available.'; exit 1", DeployError, "not available"),
    "exits silently": ("exit 0", DeployError, "it says nothing"),
    "runs something else": ("exec echo only git here", DeployError, "only git here"),
    "floods": ("yes", DeployError, "more than 1048576 bytes"),
    "waits": ("sleep 300", UnreachableError, "starts no program within 1.5 s"),
}


@pytest.mark.parametrize(("login", "error", "said"), LOGINS.values(), ids=LOGINS)
def test_a_login_script_that_gets_in_the_way_is_named(
    lab: "Lab",
    monkeypatch: pytest.MonkeyPatch,
    login: str,
    error: type[EdgeflowError],
    said: str,
) -> None:
    monkeypatch.setattr(session_module, "START_S", 0.5)
    pi = lab.device()
    lab.behave(pi, login=login)
    endpoint = lab.endpoint(pi, timeout_s=1.0 if login == "sleep 300" else 10.0)
    with pytest.raises(error, match=said) as caught, connect(endpoint) as device:
        device.status("net")
    assert type(caught.value).exit_code == error.exit_code
    if error is DeployError and "yes" not in login:
        assert "~/.bashrc" in caught.value.hint
        assert "echo hello" in caught.value.hint


def test_a_python_that_cannot_start_is_no_login_trouble(lab: "Lab") -> None:
    pi = lab.device()
    lab.behave(pi, login="PYTHONHOME=/nowhere; export PYTHONHOME; echo hello")
    (lab.root(pi) / "bin").mkdir()
    (lab.root(pi) / "bin" / "broken").write_text("#!/bin/sh\necho No module named os >&2; exit 1\n")
    (lab.root(pi) / "bin" / "broken").chmod(0o755)
    with (
        pytest.raises(MissingToolError, match="No module named os"),
        connect(lab.endpoint(pi, python="bin/broken")) as device,
    ):
        device.status("net")


def test_files_of_the_account_shadow_no_module(lab: "Lab") -> None:
    pi = lab.device()
    for module in ("json", "hashlib", "select", "subprocess"):
        (lab.root(pi) / f"{module}.py").write_text("raise SystemExit('shadowed')")
    with connect(lab.endpoint(pi)) as device:
        assert device.status("net").current is None


def test_an_upload_that_was_cut_goes_on_where_it_ended(lab: "Lab", tmp_path: Path) -> None:
    pi, sent = lab.device(), tmp_path / "sent"
    lab.behave(pi, on_disconnect="orphan")
    sent.write_bytes(random.Random(7).randbytes(3_000_000))
    with (
        FaultProxy(pi.port, "hang", after_bytes=1_500_000) as proxy,
        Session(lab.endpoint(pi, port=proxy.port, timeout_s=1)) as session,
        pytest.raises(UnreachableError, match=r"sending sent, \d+ of 3000000 bytes"),
    ):
        session.put(sent, "folder/file")
    with Session(lab.endpoint(pi)) as session:
        assert 1_500_000 <= session.put(sent, "folder/file") < 2_500_000
    assert (lab.root(pi) / "folder" / "file").read_bytes() == sent.read_bytes()
    assert not (lab.root(pi) / "folder" / "file.part").exists()


@pytest.mark.parametrize(("block_s", "receipts"), [(0.0, 4), (1.0, 14)], ids=["fast", "slow"])
def test_receipts_are_few_and_come_in_time_on_a_slow_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block_s: float, receipts: int
) -> None:
    from edgeflow.ondevice import session

    said: list[dict[str, Any]] = []
    size, now_s = 13 * session.BLOCK_BYTES, iter(range(99))
    whole = io.BytesIO(b"0\n" + b"x" * size)
    source = io.BufferedReader(whole)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=source))
    clock = SimpleNamespace(monotonic=lambda: next(now_s) * block_s)
    monkeypatch.setattr(session, "time", clock)
    monkeypatch.setattr(session, "say", lambda **receipt: said.append(receipt))
    with (tmp_path / "part").open("w+b") as file:
        session.write(file, size, 60)
    assert said[-1] == {"at": size}
    assert len(said) == 1 + receipts  # after what is there already


@pytest.mark.parametrize(("there", "goes_on"), [(b"abc", 3), (b"xyz", 0), (b"", 0)])
def test_the_digest_of_an_upload_is_that_of_all_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bytes, goes_on: int
) -> None:
    from edgeflow.ondevice import session

    part, content = tmp_path / "part", b"abcdefgh"
    part.write_bytes(there)
    sent = io.BytesIO(f"{goes_on}\n".encode() + content[goes_on:])
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BufferedReader(sent)))
    monkeypatch.setattr(session, "say", lambda **_: None)
    with part.open("r+b") as file:
        assert session.write(file, 8, 60) == hashlib.sha256(content).hexdigest()
    assert part.read_bytes() == content


@pytest.mark.parametrize("fails", [1, 3], ids=["while more comes", "at the end"])
def test_a_disk_that_fails_behind_an_upload_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: int
) -> None:
    from edgeflow.ondevice import session

    calls = iter(range(1, 9))

    def fsync(_: int) -> None:
        if next(calls) == fails:
            raise OSError(errno.EIO, "bad block")

    size = 3 * session.BLOCK_BYTES
    sent = io.BytesIO(b"0\n" + b"x" * size)
    monkeypatch.setattr(session, "SYNC_BYTES", session.BLOCK_BYTES)
    monkeypatch.setattr("os.fsync", fsync)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BufferedReader(sent)))
    monkeypatch.setattr(session, "say", lambda **_: None)
    with (tmp_path / "part").open("w+b") as file, pytest.raises(OSError, match="bad block"):
        session.write(file, size, 60)


def test_a_receiver_that_hears_nothing_ends(lab: "Lab", tmp_path: Path) -> None:
    """The network goes away in silence: to the device's server the connection stands."""
    pi, sent = lab.device(), tmp_path / "sent"
    lab.behave(pi, on_disconnect="orphan")
    sent.write_bytes(random.Random(7).randbytes(300_000))
    with FaultProxy(pi.port, "hang", after_bytes=100_000) as proxy:
        with (
            Session(lab.endpoint(pi, port=proxy.port, timeout_s=1)) as session,
            pytest.raises(UnreachableError, match="stood still"),
        ):
            session.put(sent, "file")
        # The proxy keeps its connection to the device open.
        with Session(lab.endpoint(pi)) as session:
            session.put(sent, "file")
    assert (lab.root(pi) / "file").read_bytes() == sent.read_bytes()


@pytest.mark.parametrize("stale", [b"other", b"longer than the file"])
def test_what_another_upload_left_is_replaced(lab: "Lab", tmp_path: Path, stale: bytes) -> None:
    pi, sent = lab.device(), tmp_path / "sent"
    sent.write_bytes(b"the content")
    (lab.root(pi) / "file.part").write_bytes(stale)
    with Session(lab.endpoint(pi)) as session:
        assert session.put(sent, "file") == 11
    assert (lab.root(pi) / "file").read_bytes() == b"the content"


def test_two_that_send_the_same_do_not_mix(lab: "Lab", tmp_path: Path) -> None:
    import fcntl

    pi, sent = lab.device(), tmp_path / "sent"
    where = lab.endpoint(pi, timeout_s=0.5)
    sent.write_bytes(b"content")
    with (lab.root(pi) / "file.part").open("wb") as other, Session(where) as session:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(DeployError, match="sending sent") as caught:
            session.put(sent, "file")
        assert "another run sends the same file" in caught.value.hint
        assert (lab.root(pi) / "file.part").exists()


def test_a_home_that_cannot_be_written_is_named(lab: "Lab", tmp_path: Path) -> None:
    pi, sent = lab.device(), tmp_path / "sent"
    sent.write_bytes(b"content")
    with Session(lab.endpoint(pi)) as session:
        for path in ("/proc/file", "/sys/file"):
            with pytest.raises(DeployError, match="fails when sending sent") as caught:
                session.put(sent, path)
            assert caught.value.exit_code == 5


def test_a_pipe_in_the_place_of_an_upload_blocks_nothing(lab: "Lab", tmp_path: Path) -> None:
    pi, sent = lab.device(), tmp_path / "sent"
    sent.write_bytes(b"content")
    os.mkfifo(lab.root(pi) / "file.part")
    with (
        Session(lab.endpoint(pi)) as session,
        pytest.raises(DeployError, match="fails when sending sent"),
    ):
        session.put(sent, "file")


@pytest.mark.parametrize("kind", ["folder", "pipe", "large", "absent"])
def test_only_a_plain_file_of_the_size_expected_is_fetched(
    lab: "Lab", tmp_path: Path, kind: str
) -> None:
    pi = lab.device()
    path = lab.root(pi) / "file"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "large":
        path.write_bytes(b"x" * 8)
    with (
        Session(lab.endpoint(pi)) as session,
        pytest.raises(DeployError, match="fails when fetching file"),
    ):
        session.get("file", tmp_path / "back", 7)
    assert not list(tmp_path.glob("*back*"))


def test_the_sessions_program_is_old_python_with_the_standard_library_only() -> None:
    import ast

    from edgeflow.ondevice import session

    tree = ast.parse(Path(session.__file__).read_text(), feature_version=(3, 5))
    imported = {
        alias.name if isinstance(node, ast.Import) else str(node.module)
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert imported <= set(sys.stdlib_module_names)
