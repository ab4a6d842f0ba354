import hashlib
import io
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
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
def main(
    entry: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[int], list[list[str]]]:
    """Run the program with a pip that exits with a code; return the commands it ran."""

    def run(pip_code: int) -> list[list[str]]:
        commands: list[list[str]] = []

        def fake(command: list[str], **_: Any) -> subprocess.CompletedProcess[bytes]:
            commands.append(command)
            return subprocess.CompletedProcess(command, pip_code)

        (tmp_path / "home").mkdir(exist_ok=True)
        monkeypatch.setattr(get_uv, "locked_uv", lambda: entry)
        monkeypatch.setattr(subprocess, "run", fake)
        monkeypatch.setattr(sys, "argv", ["get_uv.py", str(tmp_path / "home")])
        get_uv.main()
        return commands

    return run


def test_pip_installs_the_locked_version_once(
    main: Callable[[int], list[list[str]]], tmp_path: Path
) -> None:
    [command] = main(0)
    assert command[:3] == [sys.executable, "-m", "pip"]
    assert command[-2:] == [str(tmp_path / "home"), "uv==1"]
    assert main(0) == []
    assert not (tmp_path / "home" / "bin").exists()


def test_without_pip_the_wheel_is_unpacked(
    main: Callable[[int], list[list[str]]], tmp_path: Path
) -> None:
    assert len(main(1)) == 1
    assert (tmp_path / "home" / "bin" / "uv").stat().st_mode & 0o111
    assert (tmp_path / "home" / "1.installed").exists()
