"""The agent alone: what it installs, what it refuses, what it leaves after a failure."""

import ast
import datetime
import fcntl
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgeflow.artifact.fingerprint import closure
from edgeflow.deploy.agent_program import SOURCES, agent_program
from edgeflow.ondevice import agent
from edgeflow.ondevice.agent import look
from edgeflow.ondevice.agent.answer import Refused
from edgeflow.ondevice.agent.data import UNTOUCHED_S, UNUSED_S
from edgeflow.ondevice.agent.manifest import listed_files
from edgeflow.ondevice.agent.model import Model
from tests.unit.deploy.trials import put_in_use

Answer = tuple[int, dict[str, Any]]
Call = Callable[..., Answer]


def members(files: dict[str, bytes]) -> list[tuple[tarfile.TarInfo, bytes]]:
    """Return a valid bundle's members, to be spoiled by a test."""
    entries = {
        name: {"sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data)}
        for name, data in files.items()
    }
    manifest = json.dumps({"format": 1, "files": entries}).encode()
    return [member(name, data) for name, data in {"manifest.json": manifest, **files}.items()]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def member(name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE) -> Any:
    info = tarfile.TarInfo(name)
    info.size, info.type = len(data), kind
    return info, data


def upload(folder: Path, parts: list[tuple[tarfile.TarInfo, bytes]]) -> str:
    """Put a tar of `parts` where an upload ends, under its right name."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for info, data in parts:
            archive.addfile(info, io.BytesIO(data))
    return upload_bytes(folder, buffer.getvalue())


def upload_bytes(folder: Path, data: bytes) -> str:
    sha = hashlib.sha256(data).hexdigest()
    (folder / "incoming").mkdir(exist_ok=True)
    (folder / "incoming" / f"{sha}.part").write_bytes(data)
    return sha


def install(call: Call, folder: Path, content: bytes) -> str:
    sha = upload(folder, members({"runner.py": b"pass\n", "data/model": content}))
    assert call("install", sha) == (0, {"installed": sha, "changed": True, "signed_by": None})
    return sha


def in_use(call: Call, folder: Path, content: bytes) -> str:
    sha = install(call, folder, content)
    assert put_in_use(call, sha)[0] == 0
    return sha


def test_a_release_is_installed_read_only_and_switched_to(call: Call, folder: Path) -> None:
    sha = in_use(call, folder, b"weights")
    assert (folder / "current").readlink() == Path(f"releases/{sha}")
    model = folder / "current" / "data" / "model"
    assert model.read_bytes() == b"weights"
    assert model.stat().st_mode & 0o777 == 0o444
    assert list((folder / "incoming").iterdir()) == []
    assert call("verify") == (0, {"verified": sha})
    log = [json.loads(line) for line in (folder / "audit.log").read_text().splitlines()]
    assert [line["verb"] for line in log] == ["install", "switch", "confirm"]
    age = datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(log[0]["time"])
    assert datetime.timedelta(seconds=-1) < age < datetime.timedelta(hours=1)


def test_installing_again_needs_no_upload_and_changes_nothing(call: Call, folder: Path) -> None:
    sha = install(call, folder, b"weights")
    assert call("install", sha) == (0, {"installed": sha, "changed": False, "signed_by": None})


def test_status_describes_device_and_releases(call: Call, folder: Path) -> None:
    old, new = in_use(call, folder, b"old"), in_use(call, folder, b"new")
    code, answer = call("status")
    assert code == 0
    assert (answer["current"], answer["previous"]) == (new, old)
    assert sorted(answer["releases"]) == sorted([old, new])
    assert answer["free_bytes"] > 0


def test_status_looks_again_where_another_verb_took_something_away(
    call: Call, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = in_use(call, folder, b"old"), in_use(call, folder, b"new")
    since = look.since_unix_s

    def overtaken(model: Model) -> float:
        monkeypatch.setattr(look, "since_unix_s", since)
        model.switch(old)
        raise FileNotFoundError(model.link)

    monkeypatch.setattr(look, "since_unix_s", overtaken)
    code, answer = call("status")
    assert (code, answer["current"]) == (0, old)
    assert new in answer["releases"]


def test_status_of_a_model_that_never_was_creates_nothing(call: Call, folder: Path) -> None:
    (folder / "incoming").rmdir()
    folder.rmdir()
    code, answer = call("status")
    assert (code, answer["current"], answer["releases"]) == (0, None, [])
    assert not folder.exists()


def test_rollback_returns_to_the_previous_release_once(call: Call, folder: Path) -> None:
    old, new = in_use(call, folder, b"old"), in_use(call, folder, b"new")
    assert call("rollback", new, "--reason", "too slow")[1] == {"current": old, "rolled_back": True}
    assert call("rollback", new)[1] == {"current": old, "rolled_back": False}
    last = json.loads((folder / "audit.log").read_text().splitlines()[-1])
    assert (last["verb"], last["sha"], last["to"], last["reason"]) == (
        "rollback",
        new,
        old,
        "too slow",
    )


def test_rollback_of_the_first_release_leaves_none(call: Call, folder: Path) -> None:
    sha = in_use(call, folder, b"first")
    assert call("rollback", sha)[1] == {"current": None, "rolled_back": True}
    assert not (folder / "current").is_symlink()


def test_rollback_passes_over_a_previous_release_that_is_damaged(call: Call, folder: Path) -> None:
    oldest, old, new = (in_use(call, folder, name) for name in (b"oldest", b"old", b"new"))
    damage(folder / "releases" / old / "data" / "model")
    assert call("rollback", new) == (0, {"current": oldest, "rolled_back": True})
    assert call("verify") == (0, {"verified": oldest})


def test_rollback_to_nothing_whole_takes_the_release_out_of_use(call: Call, folder: Path) -> None:
    old, new = in_use(call, folder, b"old"), in_use(call, folder, b"new")
    damage(folder / "releases" / old / "data" / "model")
    assert call("rollback", new) == (0, {"current": None, "rolled_back": True})
    assert not os.path.lexists(folder / "current")


def test_a_retired_release_serves_no_more_and_may_serve_again(call: Call, folder: Path) -> None:
    other, sha = in_use(call, folder, b"other"), in_use(call, folder, b"weights")
    assert call("retire", other)[1] == {"changed": False, "current": sha}
    assert call("retire", sha, "--reason", "back")[1] == {"changed": True, "current": None}
    assert not os.path.lexists(folder / "current")
    last = json.loads((folder / "audit.log").read_text().splitlines()[-1])
    assert (last["verb"], last["sha"], last["reason"]) == ("retire", sha, "back")
    assert call("retire", sha)[1] == {"changed": False, "current": None}
    assert call("status")[1]["rejected"] == []
    assert put_in_use(call, sha)[0] == 0
    assert call("status")[1]["current"] == sha


def test_prune_keeps_current_and_previous_however_old(call: Call, folder: Path) -> None:
    shas = [install(call, folder, bytes([n])) for n in range(4)]
    for age, sha in enumerate(shas):
        os.utime(folder / "releases" / sha, (1000 + age, 1000 + age))
    put_in_use(call, shas[0])
    put_in_use(call, shas[1])
    assert call("prune", "1") == (0, {"removed": [shas[2]]})
    assert set(names(folder / "releases")) == {shas[0], shas[1], shas[3]}


def test_what_an_engine_kept_of_a_release_goes_with_it(call: Call, folder: Path) -> None:
    shas = [install(call, folder, bytes([n])) for n in range(3)]
    for sha in shas:
        (folder / "cache" / sha).mkdir(parents=True)
        (folder / "cache" / sha / "model.blob").write_bytes(b"compiled")
    put_in_use(call, shas[0])
    assert call("verify", shas[0])[0] == 0, "it is no part of the release"
    assert call("prune", "1") == (0, {"removed": [shas[1]]})
    assert names(folder / "cache") == sorted([shas[0], shas[2]])
    (folder / "releases" / shas[2]).rename(folder / "elsewhere")
    call("prune", "1")
    assert names(folder / "cache") == [shas[0]], "nor does what a killed prune left stay"


def test_an_upload_with_other_bytes_is_refused_and_removed(call: Call, folder: Path) -> None:
    sha = upload(folder, members({"runner.py": b"pass\n"}))
    part = folder / "incoming" / f"{sha}.part"
    part.write_bytes(part.read_bytes()[:-1] + b"x")
    code, answer = call("install", sha)
    assert (code, answer["error"]) == (65, "corrupt")
    assert not part.exists()
    assert names(folder / "releases") == []
    assert json.loads((folder / "audit.log").read_text())["error"] == "corrupt"


def damage(path: Path) -> None:
    path.chmod(0o644)
    path.write_bytes(b"?" * path.stat().st_size)


@pytest.mark.parametrize("name", ["data/model", "manifest.json"])
def test_a_changed_file_is_found_and_never_activated(call: Call, folder: Path, name: str) -> None:
    sha = install(call, folder, b"weights")
    damage(folder / "releases" / sha / name)
    for code, answer in (call("verify", sha), put_in_use(call, sha)):
        assert (code, answer["error"]) == (65, "corrupt")
        assert name in answer["detail"]
    assert not (folder / "current").is_symlink()


def test_a_damaged_release_is_replaced_by_a_new_upload(call: Call, folder: Path) -> None:
    sha = in_use(call, folder, b"weights")
    damage(folder / "releases" / sha / "data" / "model")
    assert install(call, folder, b"weights") == sha
    assert call("verify") == (0, {"verified": sha})
    assert names(folder / "releases") == [sha]


def linked(kind: bytes) -> Any:
    info, data = member("data/model", b"", kind)
    info.linkname = "/etc/passwd"
    return info, data


GOOD = members({"runner.py": b"pass\n", "data/model": b"weights"})


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param([*GOOD, member("../../evil", b"x")], id="parent"),
        pytest.param([*GOOD, member("/tmp/evil", b"x")], id="absolute"),
        pytest.param([*GOOD, member("extra", b"x")], id="extra"),
        pytest.param([*GOOD, GOOD[1]], id="twice"),
        pytest.param([*GOOD, member("folder", kind=tarfile.DIRTYPE)], id="folder"),
        pytest.param([*GOOD[:2], linked(tarfile.SYMTYPE)], id="symlink"),
        pytest.param([*GOOD[:2], linked(tarfile.LNKTYPE)], id="hardlink"),
        pytest.param([*GOOD[:2], linked(tarfile.CHRTYPE)], id="device"),
        pytest.param([*GOOD[:2], linked(tarfile.GNUTYPE_SPARSE)], id="sparse"),
        pytest.param(GOOD[:2], id="missing"),
        pytest.param(GOOD[1:], id="no manifest"),
        pytest.param([*GOOD[:2], member("data/model", b"weights and more")], id="larger"),
        pytest.param([*GOOD[:2], member("data/model", b"wEights")], id="other content"),
        pytest.param(members({"../evil": b"x"}), id="manifest lists parent"),
        pytest.param(members({"/evil": b"x"}), id="manifest lists absolute"),
        pytest.param([member("manifest.json", b"[1]")], id="manifest is no object"),
        pytest.param([member("manifest.json", b"{")], id="manifest is no json"),
    ],
)
def test_a_tar_that_is_not_its_manifest_is_refused(
    call: Call, folder: Path, parts: list[tuple[tarfile.TarInfo, bytes]]
) -> None:
    code, answer = call("install", upload(folder, parts))
    assert (code, answer["error"]) == (65, "corrupt")
    assert names(folder / "releases") == []
    assert names(folder / "incoming") == []
    assert names(folder) == ["audit.log", "incoming", "lock", "releases"]
    assert names(folder.parent) == ["net"]


FAIR = {"sha256": "ab" * 32, "size_bytes": 0}
UNSAFE = (
    "",
    "/a",
    "a/",
    "a//b",
    ".",
    "./a",
    "a/.",
    "..",
    "../a",
    "a/../b",
    "a\0b",
    "manifest.json",
)


@pytest.mark.parametrize(
    ("name", "entry"),
    [(name, FAIR) for name in UNSAFE]
    + [("a", {**FAIR, "sha256": "AB" * 32}), ("a", {**FAIR, "sha256": "ab" * 31})]
    + [("a", {**FAIR, "size_bytes": size}) for size in (-1, 0.5, "0")],
)
def test_before_anything_is_written_no_entry_is_unsafe(name: str, entry: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        listed_files(json.dumps({"files": {"b": FAIR, name: entry}}).encode())
    assert refused.value.answer["error"] == "corrupt"
    assert refused.value.answer["detail"] == f"manifest.json lists an unsafe file: {name!r}"


def test_names_with_dots_and_folders_are_safe() -> None:
    files = dict.fromkeys(("..a", "a..", ".a/...", "data/manifest.json", "x/y/x"), FAIR)
    assert listed_files(json.dumps({"files": files}).encode()) == files


def test_bytes_that_are_no_tar_are_refused(call: Call, folder: Path) -> None:
    code, answer = call("install", upload_bytes(folder, b"no tar" * 500))
    assert (code, answer["error"]) == (65, "corrupt")


def test_what_was_never_uploaded_is_absent(call: Call) -> None:
    code, answer = call("install", "0" * 64)
    assert (code, answer["error"]) == (70, "absent")
    assert call("verify")[1]["error"] == "absent"


def test_leftovers_of_a_killed_install_are_removed(call: Call, folder: Path) -> None:
    (folder / "releases" / ".tmp-dead" / "data").mkdir(parents=True)
    sha = install(call, folder, b"weights")
    assert names(folder / "releases") == [sha]


def test_a_verb_is_refused_while_another_process_holds_the_lock(call: Call, folder: Path) -> None:
    sha = upload(folder, members({"runner.py": b"pass\n"}))
    with (folder / "lock").open("w") as lock:
        lock.write("install (pid 1)")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        code, answer = call("install", sha)
        assert (code, answer["error"]) == (75, "locked")
        assert "install (pid 1)" in answer["detail"]
        assert call("status")[0] == 0
    assert call("install", sha)[0] == 0


def test_who_holds_the_lock_is_said_in_it(call: Call, folder: Path) -> None:
    held = []

    def look(path: str) -> os.statvfs_result:
        held.append((folder / "lock").read_text())
        return statvfs(path)

    statvfs = os.statvfs
    (folder / "lock").write_bytes(b"\xff" * 100)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "statvfs", look)
        assert call("prepare", "0" * 64, "3")[0] == 0
    assert held[0] == f"prepare (pid {os.getpid()})"


def test_too_little_space_is_said_with_figures_before_unpacking(
    call: Call, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha = upload(folder, members({"runner.py": b"pass\n", "data/model": b"w" * 100_000}))
    usage = list(os.statvfs(folder))
    usage[1], usage[4] = 1, 7  # f_frsize, f_bavail
    monkeypatch.setattr(os, "statvfs", lambda path: os.statvfs_result(usage))
    code, answer = call("install", sha)
    assert (code, answer["error"], answer["free_bytes"]) == (70, "no space", 7)
    assert answer["need_bytes"] > 100_000
    assert answer["detail"] == f"need {answer['need_bytes']} bytes, have 7"
    assert names(folder / "incoming") == []


def test_too_few_inodes_are_said(call: Call, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sha = upload(folder, members({"runner.py": b"pass\n"}))
    usage = list(os.statvfs(folder))
    usage[5], usage[7] = 1000, 2  # f_files, f_favail
    monkeypatch.setattr(os, "statvfs", lambda path: os.statvfs_result(usage))
    assert "inodes, have 2" in call("install", sha)[1]["detail"]


def test_a_write_that_fails_for_space_leaves_no_release(folder: Path, program: Path) -> None:
    sha = upload(folder, members({"a": b"a" * 1000, "b": b"b" * 300_000}))
    limited = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({200_000},) * 2)"
    code = f"{limited}; import runpy; runpy.run_path({str(program)!r}, run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", code, "install", str(folder), sha],
        capture_output=True,
        text=True,
        check=False,
    )
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["error"]) == (70, "no space")
    assert names(folder / "releases") == []
    assert names(folder / "incoming") == []


def test_data_is_stored_by_content(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def run(verb: str, sha: str) -> Answer:
        code = agent.main([verb, str(tmp_path), sha, "x.npy"])
        return code, json.loads(capsys.readouterr().out)

    sha = hashlib.sha256(b"samples").hexdigest()
    assert run("find-data", sha)[1]["stored"] is False
    assert run("store-data", sha)[1]["error"] == "absent"
    (tmp_path / f"{sha}.part").write_bytes(b"sampl")
    assert run("store-data", sha)[0] == 65
    assert not (tmp_path / f"{sha}.part").exists()
    (tmp_path / f"{sha}.part").write_bytes(b"samples")
    tmp_path.chmod(0o777)
    code, answer = run("store-data", sha)
    assert (code, answer["stored"]) == (0, True)
    stored = Path(answer["path"])
    assert (stored.read_bytes(), stored.stat().st_mode & 0o777) == (b"samples", 0o444)
    (tmp_path / f"{sha}.part").write_bytes(b"samples")
    assert run("store-data", sha)[0] == 0, "as by two hosts at once"
    assert run("find-data", sha)[1]["stored"] is True
    assert tmp_path.stat().st_mode & 0o777 == 0o775, "others may not put data there"
    damage(Path(answer["path"]))
    assert run("find-data", sha)[1]["stored"] is False


def test_data_go_that_no_measurement_uses_any_more(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("fresh", "idle", "unused", "future")
    shas = {name: hashlib.sha256(name.encode()).hexdigest() for name in (*names, "new")}

    def find(name: str, *options: str) -> set[str]:
        """Look for one; return which of all are there then."""
        assert agent.main(["find-data", str(tmp_path), shas[name], "x.npy", *options]) == 0
        assert json.loads(capsys.readouterr().out)["stored"] is (name in names)
        return {name for name in shas if (tmp_path / shas[name]).exists()}

    ages = (UNTOUCHED_S - 60, UNTOUCHED_S + 60, UNUSED_S + 60, -UNUSED_S - 60)
    for name, age_s in zip(names, ages, strict=True):
        (tmp_path / shas[name]).mkdir()
        (tmp_path / shas[name] / "x.npy").write_bytes(name.encode())
        os.utime(tmp_path / shas[name], (time.time() - age_s,) * 2)
    for other in ("mine", ".tmp-killed"):
        (tmp_path / other).mkdir()
        os.utime(tmp_path / other, (0, 0))
    assert find("future") == set(names), "what is used again is fresh, and removes nothing"
    assert find("new") == {"fresh", "idle", "future"}
    usage = list(os.statvfs(tmp_path))
    usage[1], usage[4] = 1, 1000  # f_frsize, f_bavail
    monkeypatch.setattr(os, "statvfs", lambda path: os.statvfs_result(usage))
    assert find("new", "--need-bytes", "1000") == {"fresh", "idle", "future"}
    (tmp_path / f"{shas['new']}.part").write_bytes(b"n")
    assert find("new", "--need-bytes", "1001") == {"fresh", "idle", "future"}
    assert find("new", "--need-bytes", "1002") == {"fresh", "future"}
    assert (tmp_path / "mine").exists()
    assert not list(tmp_path.glob(".tmp-*"))


@pytest.mark.parametrize("sha", ["../x", "A" * 64, "0" * 63, "0" * 64 + "\n"])
def test_only_digests_name_a_release(call: Call, sha: str) -> None:
    code, answer = call("rollback", sha)
    assert (code, answer["error"]) == (64, "usage")
    assert "not a SHA-256" in answer["detail"]


def test_its_file_depends_on_the_sources_alone(program: Path) -> None:
    """Not on when they were written, nor on the order in which a folder lists them."""
    for path in SOURCES.glob("*.py"):
        os.utime(path)
    assert agent_program() == program.read_bytes()
    with zipfile.ZipFile(program) as archive:
        entries = archive.infolist()
    assert [entry.filename for entry in entries] == sorted(entry.filename for entry in entries)
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {entry.compress_type for entry in entries} == {zipfile.ZIP_STORED}


def test_every_module_of_it_counts_in_the_fingerprint() -> None:
    modules = {f"{agent.__name__}.{path.stem}" for path in SOURCES.glob("*.py")}
    assert modules - {f"{agent.__name__}.__init__"} <= set(closure(agent.__name__))


def test_its_file_runs_by_itself(folder: Path, program: Path) -> None:
    """Isolated as on a device: without edgeflow, and on a Python without zlib."""
    blocked = f"import runpy, sys; sys.modules['zlib'] = None; sys.argv[0] = {str(program)!r}"
    code = f"{blocked}; runpy.run_path(sys.argv[0], run_name='__main__')"
    for start in ([str(program)], ["-c", code]):
        done = subprocess.run(
            [sys.executable, "-I", *start, "status", str(folder)],
            capture_output=True,
            text=True,
            check=True,
            cwd="/",
        )
        assert json.loads(done.stdout)["current"] is None


@pytest.mark.parametrize("path", sorted(SOURCES.glob("*.py")), ids=lambda path: path.stem)
def test_it_is_python_3_7_with_the_standard_library_only(path: Path) -> None:
    tree = ast.parse(path.read_text(), feature_version=(3, 7))
    imported = {
        alias.name if isinstance(node, ast.Import) else str(node.module)
        for node in ast.walk(tree)
        if isinstance(node, ast.Import) or (isinstance(node, ast.ImportFrom) and not node.level)
        for alias in node.names
    }
    assert {name.split(".")[0] for name in imported} <= set(sys.stdlib_module_names)
    levels = {node.level for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert levels <= {0, 1}, "nothing of edgeflow"


@pytest.mark.parametrize(
    "arguments",
    [
        ["switch", "m", "0" * 64, "--health-s", "nan", "--confirm-s", "9"],
        ["switch", "m", "0" * 64, "--health-s", "9", "--confirm-s", "-1"],
        ["history", "m", "--last", "-5"],
        ["prune", "m", "many"],
        ["dance"],
        [],
    ],
)
def test_what_is_no_command_is_refused_by_an_answer(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert agent.main(arguments) == 64
    assert json.loads(capsys.readouterr().out)["error"] == "usage"


def test_recovery_of_no_folder_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert agent.main(["recover", str(tmp_path / "nope")]) == 70
    assert json.loads(capsys.readouterr().out)["error"] == "absent"
