"""What `make env` does with environments that are there, half there, or being made."""

import os
import subprocess
import sys
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tools import set_up


class Uv:
    """Stands in for uv: writes an environment in two halves, and may be killed between them."""

    def __init__(self) -> None:
        self.runs = 0
        self.killed = False

    def __call__(self, command: list[Any], **_: Any) -> subprocess.CompletedProcess[bytes]:
        assert command[1] == "sync"
        self.runs += 1
        package = Path(".venv/package")
        if not package.exists():  # as uv, which judges a package by its metadata
            package.mkdir(parents=True)
            if self.killed:
                raise KeyboardInterrupt
            (package / "module.py").touch()
        return subprocess.CompletedProcess(command, 0)


@pytest.fixture
def uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Uv:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tools").mkdir()
    for name in set_up.MADE_FROM:
        Path(name).touch()
    uv = Uv()
    monkeypatch.setattr(set_up, "get_uv", lambda home: home / "uv")
    monkeypatch.setattr(subprocess, "run", uv)
    monkeypatch.setattr(sys, "argv", ["set_up", str(tmp_path / "home")])
    return uv


def age(name: str, seconds: int) -> None:
    status = Path(name).stat()
    os.utime(name, ns=(status.st_atime_ns, status.st_mtime_ns + seconds * 10**9))


def test_it_is_set_up_once_and_again_after_a_new_lock(uv: Uv) -> None:
    set_up.main()
    set_up.main()
    assert uv.runs == 1
    age("uv.lock", 60)
    set_up.main()
    assert uv.runs == 2


def test_what_an_interrupted_set_up_left_is_made_anew(uv: Uv) -> None:
    uv.killed = True
    with pytest.raises(KeyboardInterrupt):
        set_up.main()
    assert not set_up.READY.exists()
    uv.killed = False
    set_up.main()
    assert Path(".venv/package/module.py").exists()
    assert set_up.READY.exists()


def test_an_interrupted_update_counts_as_interrupted(uv: Uv) -> None:
    set_up.main()
    age("uv.lock", 60)
    uv.killed = True
    Path(".venv/package/module.py").unlink()
    Path(".venv/package").rmdir()
    with pytest.raises(KeyboardInterrupt):
        set_up.main()
    uv.killed = False
    set_up.main()
    assert Path(".venv/package/module.py").exists()


def test_a_failure_of_uv_is_not_taken_for_ready(uv: Uv, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = subprocess.CompletedProcess[bytes]([], 2)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(SystemExit, match="2"):
        set_up.main()
    assert not set_up.READY.exists()


def test_two_at_once_set_it_up_once(uv: Uv) -> None:
    threads = [Thread(target=set_up.main) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert uv.runs == 1
