import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edgeflow.artifact.atomic import staged, write_bytes, write_json, write_text

KILLED = """\
import os, signal, sys
from pathlib import Path
from edgeflow.artifact.atomic import staged
with staged(Path(sys.argv[1])) as scratch:
    (scratch / "model.bin").write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
WAITING = """\
import sys
from pathlib import Path
from edgeflow.artifact.atomic import staged
with staged(Path(sys.argv[1])) as scratch:
    (scratch / "slow.bin").write_bytes(b"slow")
    print("ready", flush=True)
    sys.stdin.read()
"""


def contents(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_writes_replace_and_leave_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    write_text(path, "old")
    write_bytes(path, b"new")
    assert contents(path.parent) == {"file": "new"}
    assert path.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(("owner", "name"), [(os, "fsync"), (Path, "replace")])
def test_a_write_that_fails_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: object, name: str
) -> None:
    path = tmp_path / "file"
    write_text(path, "old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(owner, name, full)
    with pytest.raises(OSError, match="No space left"):
        write_text(path, "new")
    assert contents(tmp_path) == {"file": "old"}


def test_json_is_the_same_for_equal_values(tmp_path: Path) -> None:
    write_json(tmp_path / "a", {"b": 1, "a": [1.5, None]})
    write_json(tmp_path / "b", {"a": [1.5, None], "b": 1})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert json.loads((tmp_path / "a").read_text()) == {"a": [1.5, None], "b": 1}


def test_what_json_cannot_hold_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a", {"accuracy": float("nan")})
    assert contents(tmp_path) == {}


def test_staged_entries_move_in_and_others_stay(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "plots").mkdir(parents=True)
    (out / "plots" / "old.svg").write_text("old")
    (out / "deploy.json").write_text("kept")
    (out / "model").write_text("a file before")
    with staged(out) as scratch:
        (scratch / "plots").mkdir()
        (scratch / "plots" / "new.svg").write_text("new")
        (scratch / "model").mkdir()
        (scratch / "model" / "weights").write_text("w")
        (scratch / "manifest.json").write_text("{}")
    assert contents(out) == {
        "deploy.json": "kept",
        "manifest.json": "{}",
        "model/weights": "w",
        "plots/new.svg": "new",
    }
    assert list(tmp_path.iterdir()) == [out]


def test_a_file_takes_the_place_of_a_folder(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "model" / "inner").mkdir(parents=True)
    with staged(out) as scratch:
        (scratch / "model").write_text("file")
    assert contents(out) == {"model": "file"}


def fill(out: Path, text: str, error: type[BaseException] | None = None) -> None:
    with staged(out) as scratch:
        (scratch / "model").write_text(text)
        if error:
            raise error


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_out_as_it_was(tmp_path: Path, error: type[BaseException]) -> None:
    out = tmp_path / "out"
    with pytest.raises(error):
        fill(out, "half", error)
    assert list(tmp_path.iterdir()) == []
    fill(out, "whole")
    with pytest.raises(error):
        fill(out, "half", error)
    assert contents(tmp_path) == {"out/model": "whole"}


def test_the_manifest_is_published_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "manifest.json").write_text("old")
    replace, seen = Path.replace, []

    def watched(path: Path, target: Path) -> Path:
        seen.append((path.name, (out / "manifest.json").exists()))
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", watched)
    with staged(out) as scratch:
        for name in ("a", "manifest.json", "z"):
            (scratch / name).write_text(name)
    assert seen == [("a", False), ("z", False), ("manifest.json", False)]


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    out = tmp_path / "out"
    killed = subprocess.run([sys.executable, "-c", KILLED, str(out)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert [path.suffix for path in tmp_path.iterdir()] == [".part"]
    with staged(out) as scratch:
        (scratch / "model.bin").write_text("whole")
    assert contents(tmp_path) == {"out/model.bin": "whole"}


def test_the_scratch_folder_of_a_living_process_stays(tmp_path: Path) -> None:
    out = tmp_path / "out"
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", WAITING, str(out)], stdin=pipe, stdout=pipe, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "ready\n"
        with staged(out) as scratch:
            (scratch / "fast.bin").write_text("fast")
        other.communicate()
    assert other.returncode == 0
    assert contents(tmp_path) == {"out/fast.bin": "fast", "out/slow.bin": "slow"}
