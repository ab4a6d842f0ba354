import errno
import fcntl
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from edgeflow.artifact import clone as module
from edgeflow.artifact.clone import clone


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(b"bytes")
    os.utime(path, (1, 1))
    return path


def without_reflinks(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "no reflinks here")

    monkeypatch.setattr(fcntl, "ioctl", refuse)


def check_copy(target: Path) -> None:
    assert target.read_bytes() == b"bytes"
    assert stat.S_IMODE(target.stat().st_mode) == 0o444
    assert target.stat().st_mtime > 1


def test_a_clone_is_a_read_only_copy_that_is_new(source: Path, tmp_path: Path) -> None:
    clone(source, tmp_path / "target")
    check_copy(tmp_path / "target")


def test_a_hard_link_where_there_are_no_reflinks(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_reflinks(monkeypatch)
    clone(source, tmp_path / "target")
    check_copy(tmp_path / "target")
    assert (tmp_path / "target").samefile(source)


def test_a_copy_where_there_are_no_links(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_reflinks(monkeypatch)

    def refuse(path: Path, other: Path) -> None:
        raise OSError(errno.EXDEV, "another file system")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    clone(source, tmp_path / "target")
    check_copy(tmp_path / "target")
    assert source.stat().st_mtime == 1


def test_a_copy_of_what_another_user_owns(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_reflinks(monkeypatch)
    monkeypatch.setattr(os, "geteuid", lambda: source.stat().st_uid + 1)
    clone(source, tmp_path / "target")
    check_copy(tmp_path / "target")
    assert not (tmp_path / "target").samefile(source)


def test_reflinks_come_first(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def reflink(target: int, request: int, origin: int) -> Any:
        assert request == module.FICLONE
        os.write(target, os.pread(origin, 100, 0))

    monkeypatch.setattr(fcntl, "ioctl", reflink)
    clone(source, tmp_path / "target")
    check_copy(tmp_path / "target")
    assert not (tmp_path / "target").samefile(source)


def test_nothing_to_clone(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        clone(tmp_path / "none", tmp_path / "target")
    assert not (tmp_path / "target").exists()
