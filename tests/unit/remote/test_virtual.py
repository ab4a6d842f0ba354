"""The virtual device as a server: programs, files, life and end."""

import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edgeflow.errors import DeployError, UnreachableError
from edgeflow.remote.session import Session
from edgeflow.remote.virtual import start
from edgeflow.remote.virtual.layout import DeviceFolder

if TYPE_CHECKING:
    from tests.unit.deploy.conftest import Lab

PYTHON = Path(sys.executable)


def test_programs_have_their_own_streams_status_and_environment(
    lab: "Lab", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_HOST", "1")
    pi = lab.device()
    with Session(lab.endpoint(pi)) as session:
        done = session.run(["sh", "-c", "printf out; printf err >&2; exit 7"], 10)
        assert (done.stdout, done.stderr, done.exit_code) == ("out", "err", 7)
        assert session.run(["pwd"], 10).stdout.strip() == str(lab.root(pi))
        environment = session.run(["env"], 10).stdout
        assert "SECRET_OF_THE_HOST" not in environment
        assert f"PATH={PYTHON.parent}:" in environment
        long = session.run([sys.executable, "-c", "print('x' * 3_000_000)"], 20)
        assert (len(long.stdout), long.exit_code) == (3_000_001, 0)
        assert session.run(["cat"], 10).exit_code == 0
        assert session.run(["sh", "-c", "kill -9 $$"], 10).exit_code == -9
        assert session.run(["true"], 10).exit_code == 0


def test_the_exit_status_is_never_lost(lab: "Lab") -> None:
    with Session(lab.endpoint(lab.device())) as session:
        codes = [session.run(["sh", "-c", f"exit {n % 5}"], 10).exit_code for n in range(40)]
    assert codes == [n % 5 for n in range(40)]


def test_files_go_both_ways(lab: "Lab", tmp_path: Path) -> None:
    pi = lab.device()
    (tmp_path / "sent").write_bytes(b"content")
    with Session(lab.endpoint(pi)) as session:
        assert session.put(tmp_path / "sent", "some/folder/file") == 7
        assert session.put(tmp_path / "sent", "some/folder/file") == 0
        session.get("some/folder/file", tmp_path / "back", 7)
        (lab.root(pi) / "plain").touch()
        with pytest.raises(DeployError, match="sending sent"):
            session.put(tmp_path / "sent", "plain/file")
    folder = lab.root(pi) / "some" / "folder"
    assert [path.name for path in folder.iterdir()] == ["file"]
    assert (folder / "file").read_bytes() == b"content"
    assert (folder / "file").stat().st_mode & 0o022 == 0
    assert (tmp_path / "back").read_bytes() == b"content"


def test_keys_are_private_and_outlive_the_server(own_lab: "Lab") -> None:
    first = own_lab.device()
    folder = DeviceFolder(first.identity.parent)
    for key in (folder.identity, folder.host_key):
        assert key.stat().st_mode & 0o777 == 0o600
    own_lab.end()
    assert folder.address() is None
    folder.publish(replace(first, port=1))  # as a killed server leaves it
    second = start.ensure(folder.path.name, PYTHON, own_lab.state)
    assert (second.host_key, second.identity) == (first.host_key, first.identity)
    assert second.pid != first.pid
    assert own_lab.listens(second.port)


def test_the_server_ends_when_nobody_connects(own_lab: "Lab") -> None:
    pi = own_lab.device(idle_s=0.5)
    with Session(own_lab.endpoint(pi)):
        time.sleep(1)
        assert own_lab.listens(pi.port)
    published = pi.identity.parent / "endpoint.json"
    own_lab.wait_until(lambda: not published.exists())
    own_lab.wait_until(lambda: not own_lab.listens(pi.port))


def test_the_server_of_a_removed_folder_ends_and_leaves_the_next_one_alone(own_lab: "Lab") -> None:
    old = own_lab.device()
    name = old.identity.parent.name
    shutil.rmtree(own_lab.state)
    new = start.ensure(name, PYTHON, own_lab.state)
    own_lab.wait_until(lambda: own_lab.is_gone(old.pid))
    assert DeviceFolder(own_lab.state / name).address() == new
    assert own_lab.listens(new.port)


def test_a_server_that_stands_still_is_waited_for_no_longer_than_for_a_device(
    own_lab: "Lab",
) -> None:
    pi = own_lab.device()
    name = pi.identity.parent.name
    os.kill(pi.pid, signal.SIGSTOP)
    began = time.monotonic()
    try:
        for _ in range(2):
            with pytest.raises(UnreachableError, match="does not answer within 0.2 s") as caught:
                start.ensure(name, PYTHON, own_lab.state, timeout_s=0.2)
            assert f"kill -CONT {pi.pid}" in caught.value.hint
        assert time.monotonic() - began < start.TIMEOUT_S
    finally:
        os.kill(pi.pid, signal.SIGCONT)
    assert start.ensure(name, PYTHON, own_lab.state) == pi


@pytest.mark.parametrize("copied", [shutil.copy2, os.link])
def test_a_copied_project_has_devices_of_its_own(
    own_lab: "Lab", tmp_path: Path, copied: Callable[[str, str], None]
) -> None:
    original = own_lab.device()
    name = original.identity.parent.name
    copy = tmp_path / "copy" / start.STATE
    shutil.copytree(own_lab.state, copy, copy_function=copied)
    try:
        found = start.ensure(name, PYTHON, copy)
        assert found.port != original.port
        assert found.identity == copy / name / "identity"
        assert DeviceFolder(own_lab.state / name).address() == original
        assert own_lab.listens(original.port)
    finally:
        type(own_lab)(tmp_path / "copy").end()


def test_another_server_at_the_port_of_a_killed_one_is_not_it(own_lab: "Lab") -> None:
    killed = own_lab.device()
    own_lab.end()
    folder = DeviceFolder(killed.identity.parent)
    neighbour = type(own_lab)(own_lab.state.parent / "another")
    answers = neighbour.device()
    try:
        folder.publish(replace(killed, port=answers.port))  # as it is left, and its port taken
        found = start.ensure(folder.path.name, PYTHON, own_lab.state)
        assert found.port != answers.port
        assert found.pid not in (killed.pid, answers.pid)
    finally:
        neighbour.end()


def test_a_program_that_cannot_start_does_not_end_the_connection(lab: "Lab") -> None:
    pi = lab.device()
    broken = pi.identity.parent / "behaviour.json"
    with Session(lab.endpoint(pi)) as session:
        broken.write_text("{")
        with pytest.raises(DeployError, match="this device cannot run programs"):
            session.run(["true"], 10)
        broken.unlink()
        assert session.run(["true"], 10).exit_code == 0


def test_many_at_once_share_one_server(own_lab: "Lab") -> None:
    found = {}

    def find(name: str) -> None:
        found[name] = start.ensure(name, PYTHON, own_lab.state)

    threads = [threading.Thread(target=find, args=(f"d{n % 3}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({address.pid for address in found.values()}) == 1
    assert len({address.port for address in found.values()}) == 3


def test_a_running_device_takes_a_new_interpreter(lab: "Lab", tmp_path: Path) -> None:
    pi = lab.device()
    other = f'[ "$1" = -I ] && exec {sys.executable} "$@"; echo another'
    (tmp_path / "python3").write_text(f"#!/bin/sh\n{other}\n")
    (tmp_path / "python3").chmod(0o755)
    start.ensure(pi.identity.parent.name, tmp_path / "python3", lab.state)
    with Session(lab.endpoint(pi)) as session:
        assert session.run(["python3"], 10).stdout == "another\n"


def test_a_server_that_cannot_start_is_reported_with_its_log(
    own_lab: "Lab", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(UnreachableError, match="does not start") as caught:
        own_lab.device()
    assert str(own_lab.state / "server.log") in caught.value.hint
