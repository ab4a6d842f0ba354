import hashlib
import io
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tools import get_uv


def wheel() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("uv-1.data/scripts/uvx", "another")
        archive.writestr("uv-1.data/scripts/uv", "#!/bin/sh\necho uv\n")
    return buffer.getvalue()


@pytest.fixture
def entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A lock's entry whose wheel lies on this machine."""
    monkeypatch.setattr(sys, "platform", "linux")
    file = tmp_path / "uv-1-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    file.write_bytes(wheel())
    digest = hashlib.sha256(wheel()).hexdigest()
    wheels = [
        {"url": "file:///nowhere/uv-1-py3-none-musllinux_1_1_x86_64.whl", "hash": "sha256:0"},
        {"url": "file:///nowhere/uv-1-py3-none-manylinux_2_17_aarch64.whl", "hash": "sha256:0"},
        {"url": file.as_uri(), "hash": f"sha256:{digest}"},
    ]
    return {"name": "uv", "version": "1", "wheels": wheels}


def test_the_lock_names_uv_with_wheels_for_this_machine() -> None:
    entry = get_uv.locked_uv()
    assert entry["name"] == "uv"
    assert entry["version"]
    assert all(wheel["hash"].startswith("sha256:") for wheel in entry["wheels"])
    ending = ("manylinux2014_x86_64.whl", "manylinux2014_aarch64.musllinux_1_1_aarch64.whl")
    names = [wheel["url"] for wheel in entry["wheels"]]
    assert all(
        any("-manylinux_" in name and name.endswith(end) for name in names) for end in ending
    )


def test_the_program_comes_from_the_wheel(entry: dict[str, Any], tmp_path: Path) -> None:
    get_uv.from_lock(entry, tmp_path / "home")
    program = tmp_path / "home" / "bin" / "uv"
    assert subprocess.run([program], capture_output=True, check=True).stdout == b"uv\n"


def test_a_wheel_of_other_bytes_is_refused(entry: dict[str, Any], tmp_path: Path) -> None:
    entry["wheels"][2]["hash"] = "sha256:" + "0" * 64
    with pytest.raises(SystemExit, match=r"is not what uv\.lock says"):
        get_uv.from_lock(entry, tmp_path / "home")
    assert not (tmp_path / "home").exists()


@pytest.fixture
def commands(entry: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that were run; pip does nothing and says that it failed."""
    ran: list[list[str]] = []

    def fake(command: list[str], **_: Any) -> subprocess.CompletedProcess[bytes]:
        ran.append(command)
        return subprocess.CompletedProcess(command, 1)

    monkeypatch.setattr(get_uv, "locked_uv", lambda: entry)
    monkeypatch.setattr(subprocess, "run", fake)
    return ran


def test_the_locked_version_is_installed_once(commands: list[list[str]], tmp_path: Path) -> None:
    home = tmp_path / "home"
    program = get_uv.get_uv(home)
    assert program == home / "1" / "bin" / "uv"
    assert program.stat().st_mode & 0o111
    assert get_uv.get_uv(home) == program
    [command] = commands
    assert command[:3] == [sys.executable, "-m", "pip"]
    assert command[-1] == "uv==1"
    assert sorted(path.name for path in home.iterdir()) == ["1", "lock"]


def test_an_interrupted_download_leaves_nothing(
    commands: list[list[str]], entry: dict[str, Any], tmp_path: Path
) -> None:
    good = entry["wheels"][2]["hash"]
    entry["wheels"][2]["hash"] = "sha256:0"
    with pytest.raises(SystemExit):
        get_uv.get_uv(tmp_path / "home")
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["lock"]
    entry["wheels"][2]["hash"] = good
    assert get_uv.get_uv(tmp_path / "home").exists()


def test_two_at_once_install_it_once(
    entry: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed: list[str] = []

    def slow(version: str, folder: Path) -> bool:
        installed.append(version)
        time.sleep(0.2)  # long enough for the others to come, whatever is asserted holds without
        get_uv.from_lock(entry, folder)
        return True

    monkeypatch.setattr(get_uv, "locked_uv", lambda: entry)
    monkeypatch.setattr(get_uv, "with_pip", slow)
    threads = [Thread(target=get_uv.get_uv, args=(tmp_path / "home",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert installed == ["1"]
    assert (tmp_path / "home" / "1" / "bin" / "uv").exists()
