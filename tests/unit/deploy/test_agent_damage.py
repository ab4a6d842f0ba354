"""What the agent makes of a folder that somebody or something has damaged."""

import errno
import fcntl
import json
import os
import random
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edgeflow.deploy.agent_answer import No, Status
from edgeflow.ondevice.agent import files, manifest
from edgeflow.ondevice.agent.audit import LOG_MAX_BYTES
from edgeflow.ondevice.agent.folders import discard
from edgeflow.remote.answer import parse
from tests.unit.deploy.test_agent import damage, in_use, install, members, names, upload
from tests.unit.deploy.trials import IN_TIME, put_in_use

if TYPE_CHECKING:
    from tests.unit.deploy.conftest import Call

SHA = "ab" * 32
ENTRY = {"manifest": SHA, "number": 0, "previous": None, "state": "confirmed"}


def journal_of(entry: object, name: str = SHA, **more: object) -> str:
    known = {"format": 3, "releases": {name: entry}, "pending": None, "last": None, "counter": 0}
    return json.dumps({**known, **more})


NOW = {"boot": "", "monotonic_s": 1.0}
PENDING = {"target": SHA, "previous": None, "token": SHA, "healthy": True, "deadline": NOW}


JOURNALS = {
    "empty": "",
    "half": '{"format": 2, "rel',
    "null": "null",
    "list": "[]",
    "deep": "[" * 100_000,
    "no text": "\0\udcff\udcfe",
    "no releases": '{"format": 2}',
    "releases are a list": '{"format": 2, "releases": []}',
    "no entry": journal_of(1),
    "half an entry": journal_of({"manifest": SHA}),
    "no digest": journal_of(ENTRY, name="x"),
    "state": journal_of({**ENTRY, "state": ["confirmed"]}),
    "pending": journal_of(ENTRY, pending=[]),
    "pending target": journal_of(ENTRY, pending={**PENDING, "target": "x"}),
    "deadline": journal_of(ENTRY, pending={**PENDING, "deadline": {"boot": "", "monotonic_s": ""}}),
    "last": journal_of(ENTRY, last={"target": SHA, "token": SHA, "state": "x"}),
    "counter": journal_of(ENTRY, counter="1"),
    "second format": '{"format": 2, "releases": {"x": {}}}',
    "number": journal_of({**ENTRY, "number": "1"}),
    "itself": journal_of({**ENTRY, "previous": SHA}),
    "previous": journal_of({**ENTRY, "previous": 7}),
}


def audit(folder: Path) -> list[str]:
    return [json.loads(line)["verb"] for line in (folder / "audit.log").read_text().splitlines()]


@pytest.mark.parametrize("text", [*JOURNALS.values(), None], ids=[*JOURNALS, "deleted"])
def test_a_damaged_journal_is_written_anew(call: "Call", folder: Path, text: str | None) -> None:
    old, new = in_use(call, folder, b"old"), in_use(call, folder, b"new")
    (folder / "journal.json").unlink()
    if text is not None:
        (folder / "journal.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    code, status = call("status")
    assert (code, status["current"], status["previous"]) == (0, new, None)
    assert call("verify") == (0, {"verified": new})
    newest = in_use(call, folder, b"newest")
    assert audit(folder)[-4:] == ["repair", "install", "switch", "confirm"]
    assert '"fault": "the journal is missing or damaged"' in (folder / "audit.log").read_text()
    assert set(json.loads((folder / "journal.json").read_text())["releases"]) == {old, new, newest}
    assert call("rollback", newest) == (0, {"current": new, "rolled_back": True})


def test_a_journal_of_the_second_format_is_understood(call: "Call", folder: Path) -> None:
    old, new = in_use(call, folder, b"old"), in_use(call, folder, b"new")
    journal = json.loads((folder / "journal.json").read_text())
    for entry in journal["releases"].values():
        entry["state"] = "passed"
    second = {"format": 2, "releases": journal["releases"]}
    (folder / "journal.json").write_text(json.dumps(second))
    status = call("status")[1]
    assert (status["previous"], status["state"], status["counter"]) == (old, "confirmed", 0)
    newest = in_use(call, folder, b"newest")
    assert "repair" not in audit(folder)
    assert json.loads((folder / "journal.json").read_text())["format"] == 3
    assert call("rollback", newest) == (0, {"current": new, "rolled_back": True})


def test_what_a_newer_agent_has_written_is_left_alone(call: "Call", folder: Path) -> None:
    new = in_use(call, folder, b"new")
    (folder / "journal.json").write_text('{"format": 4, "releases": {}}')
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for verb in (("prepare", new, "3"), ("install", new), ("rollback", new), ("prune", "3"),
                 ("status",), ("verify", new), ("confirm", new, "0" * 32),
                 ("switch", new, *IN_TIME), ("forget",)):  # fmt: skip
        code, answer = call(*verb)
        assert (code, answer["error"]) == (70, "newer"), verb
        assert "format 4; this one knows 3" in answer["detail"]
    after = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for log in ("lock", "audit.log"):  # that it was tried is said
        assert before.pop(folder / log) != after.pop(folder / log)
    assert after == before


def test_without_a_journal_nothing_is_gone_back_to(call: "Call", folder: Path) -> None:
    in_use(call, folder, b"old")
    new = in_use(call, folder, b"new")
    (folder / "journal.json").unlink()
    assert call("rollback", new) == (0, {"current": None, "rolled_back": True})
    assert call("rollback", new) == (0, {"current": None, "rolled_back": False})


def test_a_journal_that_is_a_folder_is_set_aside(call: "Call", folder: Path) -> None:
    new = in_use(call, folder, b"new")
    (folder / "journal.json").unlink()
    (folder / "journal.json" / "mine").mkdir(parents=True)
    assert call("prepare", new, "3")[1]["intact"] is True
    assert (folder / "journal.json").is_file()
    assert (folder / "journal.json.found-1" / "mine").is_dir()


def is_a_pipe(path: Path) -> None:
    os.mkfifo(path)


def dangles_itself(path: Path) -> None:
    path.symlink_to(path.name)


def is_filled(path: Path) -> None:
    (path / "mine").mkdir(parents=True)


IN_THE_WAY = [
    (name, kind)
    for name in ("journal.json", "journal.json.tmp", ".current.tmp", "lock", "incoming", "releases")
    for kind in (is_a_pipe, dangles_itself, is_filled)
    if (name, kind) not in {("incoming", is_filled), ("releases", is_filled)}
]


@pytest.mark.parametrize(("name", "put"), IN_THE_WAY)
def test_what_is_in_the_way_stops_no_deployment(
    call: "Call", folder: Path, name: str, put: Callable[[Path], None]
) -> None:
    in_use(call, folder, b"old")
    shutil.rmtree(folder / name, ignore_errors=True)
    (folder / name).unlink(missing_ok=True)
    put(folder / name)
    assert call("status")[0] == 0
    assert call("prepare", SHA, "3")[0] == 0
    new = in_use(call, folder, b"new")
    assert call("verify") == (0, {"verified": new})


def test_a_journal_without_end_is_none(call: "Call", folder: Path) -> None:
    new = in_use(call, folder, b"new")
    os.truncate(folder / "journal.json", 1 << 40)
    assert call("status")[1]["current"] == new


def test_a_manifest_too_deep_to_read_is_damage(call: "Call", folder: Path) -> None:
    old, new = in_use(call, folder, b"old"), in_use(call, folder, b"new")
    manifest = folder / "releases" / new / "manifest.json"
    manifest.chmod(0o644)
    manifest.write_text("[" * 200_000)
    assert call("verify")[1]["error"] == "corrupt"
    assert install(call, folder, b"new") == new
    manifest.chmod(0o644)
    manifest.write_text("[" * 200_000)
    assert call("rollback", new)[1]["current"] == old


def test_a_file_that_cannot_be_read_is_damage(
    call: "Call", folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = in_use(call, folder, b"old"), in_use(call, folder, b"new")
    read = files.sha256

    def bad_block(path: str) -> str:
        if new in path:
            raise OSError(errno.EIO, os.strerror(errno.EIO), path)
        return read(path)

    monkeypatch.setattr(manifest, "sha256", bad_block)
    code, answer = call("verify")
    assert (code, answer["error"]) == (65, "corrupt")
    assert "Input/output error" in answer["detail"]
    assert call("prepare", new, "3")[1]["intact"] is False
    assert call("rollback", new)[1]["current"] == old


def test_a_read_only_folder_is_removed_like_any_other(tmp_path: Path) -> None:
    """As root nothing is read-only, so the modes at the removal are what counts."""
    release = tmp_path / "release"
    (release / "data").mkdir(parents=True)
    (release / "out").symlink_to(tmp_path)
    for folder in (release / "data", release):
        folder.chmod(0o500)
    modes = list[int]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            shutil,
            "rmtree",
            lambda path: modes.extend(
                stat.S_IMODE(os.lstat(p).st_mode) for p in (path, f"{path}/data")
            ),
        )
        discard(str(release))
    assert modes == [0o700, 0o700]
    discard(str(release))
    assert tmp_path.is_dir()
    assert not release.exists()


@pytest.mark.parametrize("target", [b"/x\xff", b"/x" * 2000], ids=["no text", "long"])
def test_the_host_can_read_what_is_said_of_any_link(
    call: "Call", folder: Path, target: bytes
) -> None:
    in_use(call, folder, b"new")
    (folder / "current").unlink()
    (folder / "current").symlink_to(os.fsdecode(target))
    status = json.dumps(call("status")[1])
    answer = parse(Status, status, device="bench", program="the agent")
    assert "which is no release" in str(answer.fault)


def test_a_file_whose_name_is_no_text_is_named(call: "Call", folder: Path) -> None:
    new = in_use(call, folder, b"new")
    (folder / "releases" / new / os.fsdecode(b"\xff")).touch()
    answer = parse(No, json.dumps(call("verify")[1]), device="bench", program="the agent")
    assert (answer.error, answer.detail) == ("corrupt", "not in the manifest: ?")


def test_a_fault_of_the_agent_itself_is_an_answer_too(
    call: "Call", monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: object) -> str:
        raise MemoryError("no more")

    monkeypatch.setattr("edgeflow.ondevice.agent.look.free", fails)
    assert call("status") == (70, {"error": "failed", "detail": "MemoryError: no more"})


def test_a_release_that_is_damaged_is_not_taken_on_trust_without_a_journal(
    call: "Call", folder: Path
) -> None:
    sha = install(call, folder, b"weights")
    damage(folder / "releases" / sha / "data" / "model")
    (folder / "journal.json").unlink()
    assert put_in_use(call, sha)[0] == 65
    assert install(call, folder, b"weights") == sha


@pytest.mark.parametrize("confused", [False, True])
def test_the_first_format_of_the_journal_is_read(
    call: "Call", folder: Path, confused: bool
) -> None:
    """Where a kill had made it name the current release, it names none."""
    old, new = in_use(call, folder, b"old"), in_use(call, folder, b"new")
    first = {"manifests": {}, "previous": new if confused else old}
    (folder / "journal.json").write_text(json.dumps(first))
    before = None if confused else old
    assert call("status")[1]["previous"] == before
    assert call("rollback", new) == (0, {"current": before, "rolled_back": True})


def dangles(folder: Path, current: Path) -> None:
    shutil.rmtree(folder / "releases" / current.readlink().name)


def is_a_link(target: str) -> Callable[[Path, Path], None]:
    def link(folder: Path, current: Path) -> None:
        (folder / "releases" / "mine").mkdir()
        current.unlink()
        current.symlink_to(target)

    return link


def is_a_folder(folder: Path, current: Path) -> None:
    current.unlink()
    (current / "mine").mkdir(parents=True)


def is_a_file(folder: Path, current: Path) -> None:
    current.unlink()
    current.write_text("mine")


def is_linked(folder: Path, current: Path) -> None:
    release = folder / "releases" / current.readlink().name
    release.rename(folder / "elsewhere")
    release.symlink_to(folder / "elsewhere")


DAMAGES = {
    "dangles": (dangles, "which is not there", True),
    "names a linked release": (is_linked, "which is not there", True),
    "outside": (is_a_link("/usr"), "points at /usr, which is no release", False),
    "parent": (is_a_link(f"../releases/{SHA}"), "which is no release", False),
    "no digest": (is_a_link("releases/mine"), "which is no release", False),
    "folder": (is_a_folder, "current is no link", False),
    "file": (is_a_file, "current is no link", False),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_link_is_said_and_repaired(call: "Call", folder: Path, kind: str) -> None:
    old, new = in_use(call, folder, b"old"), in_use(call, folder, b"new")
    spoil, said, known = DAMAGES[kind]
    spoil(folder, folder / "current")
    code, status = call("status")
    assert (code, status["current"]) == (0, None)
    assert said in status["fault"]
    code, answer = call("verify")
    assert (code, answer["error"]) == (65, "corrupt")
    assert call("prepare", new, "3")[0] == 0
    status = call("status")[1]
    assert (status["fault"], status["current"]) == (None, old if known else None)
    if known:
        assert install(call, folder, b"new") == new
    assert put_in_use(call, new)[0] == 0
    assert call("verify") == (0, {"verified": new})
    aside = folder / "current.found-1"
    assert os.path.lexists(aside) is (kind in ("folder", "file"))


def test_a_rollback_of_a_release_that_is_gone(call: "Call", folder: Path) -> None:
    old, new = in_use(call, folder, b"old"), in_use(call, folder, b"new")
    dangles(folder, folder / "current")
    assert call("rollback", new)[1]["current"] == old
    assert call("verify") == (0, {"verified": old})


def test_a_previous_release_that_is_gone_is_passed_over(call: "Call", folder: Path) -> None:
    oldest, old, new = (in_use(call, folder, name) for name in (b"oldest", b"old", b"new"))
    shutil.rmtree(folder / "releases" / old)
    assert call("status")[1]["previous"] == oldest
    assert call("rollback", new) == (0, {"current": oldest, "rolled_back": True})


def test_a_rejected_release_is_never_gone_back_to(call: "Call", folder: Path) -> None:
    one, two = in_use(call, folder, b"one"), in_use(call, folder, b"two")
    assert put_in_use(call, one)[0] == 0
    assert call("rollback", one)[1]["current"] == two
    assert call("status")[1]["previous"] is None
    assert call("rollback", two)[1]["current"] is None


def test_rejecting_what_is_not_in_use_changes_nothing_else(call: "Call", folder: Path) -> None:
    old, new = in_use(call, folder, b"old"), install(call, folder, b"new")
    answer = {"current": old, "rolled_back": False}
    assert call("rollback", new, "--reason", "slow") == (0, answer)
    assert call("status")[1]["rejected"] == [new]
    assert audit(folder)[-1] == "reject"
    assert put_in_use(call, new)[1]["previous"] == old
    assert call("status")[1]["rejected"] == []


def test_half_a_line_of_the_audit_log_stays_alone(call: "Call", folder: Path) -> None:
    (folder / "audit.log").write_text('{"verb": "inst')
    in_use(call, folder, b"new")
    lines = (folder / "audit.log").read_text().splitlines()
    assert [json.loads(line)["verb"] for line in lines[1:]] == ["install", "switch", "confirm"]


def test_a_log_that_takes_no_more_undoes_nothing(call: "Call", folder: Path) -> None:
    sha = install(call, folder, b"new")
    (folder / "audit.log").unlink()
    (folder / "audit.log").mkdir()
    assert put_in_use(call, sha)[0] == 0
    assert call("verify") == (0, {"verified": sha})


def test_the_audit_log_is_bounded(call: "Call", folder: Path) -> None:
    """One log before it stays, whatever lay there; a fact is cut that would fill it alone."""
    log, older = folder / "audit.log", folder / "audit.log.1"
    sha = in_use(call, folder, b"new")
    lines = log.read_bytes()
    older.mkdir()
    for _ in range(2):
        log.write_bytes(bytes(LOG_MAX_BYTES - len(lines)) + lines)
        assert call("prune", "3")[0] == 0
        assert log.stat().st_size == LOG_MAX_BYTES
        log.write_bytes(b"\n" + log.read_bytes())
        assert call("rollback", sha, "--reason", "slow" * 1000)[0] == 0
        assert older.read_bytes().endswith(lines)
        (line,) = log.read_text().splitlines()
        assert json.loads(line)["reason"] == "slow" * 250
        assert put_in_use(call, sha)[0] == 0
    assert sorted(path.name for path in folder.glob("audit*")) == [
        "audit.log",
        "audit.log.1",
        "audit.log.1.found-1",
    ]


def test_who_waits_for_the_lock_fills_no_log(call: "Call", folder: Path) -> None:
    sha = in_use(call, folder, b"new")
    with (folder / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert put_in_use(call, sha)[0] == 75
        for verb in ("install", "rollback"):
            assert call(verb, sha)[0] == 75
    assert audit(folder) == ["install", "switch", "confirm"]


def link_folder(release: Path) -> None:
    (release / "data").rename(release.parent / "data")
    (release / "data").symlink_to(release.parent / "data")


def link_file(release: Path) -> None:
    (release / "data" / "model").rename(release.parent / "model")
    (release / "data" / "model").symlink_to(release.parent / "model")


def link_manifest(release: Path) -> None:
    (release / "manifest.json").rename(release.parent / "manifest.json")
    (release / "manifest.json").symlink_to(release.parent / "manifest.json")


def link_release(release: Path) -> None:
    release.rename(release.parent / "moved")
    release.symlink_to("moved")


def pipe(release: Path) -> None:
    (release / "data" / "model").unlink()
    os.mkfifo(release / "data" / "model")


def folder_for_file(release: Path) -> None:
    (release / "runner.py").unlink()
    (release / "runner.py").mkdir()


SPOILED: dict[str, Callable[[Path], object]] = {
    "linked folder": link_folder,
    "linked file": link_file,
    "linked manifest": link_manifest,
    "linked release": link_release,
    "pipe": pipe,
    "extra folder": lambda release: (release / "data" / "empty").mkdir(),
    "extra link to a folder": lambda release: (release / "more").symlink_to("/usr"),
    "extra file": lambda release: (release / "data" / "more").write_text(""),
    "a folder for a file": folder_for_file,
    "missing folder": lambda release: shutil.rmtree(release / "data"),
    "file for all": lambda release: (release / "data" / "model").chmod(0o666),
    "file for the group": lambda release: (release / "data" / "model").chmod(0o464),
    "manifest for all": lambda release: (release / "manifest.json").chmod(0o446),
    "folder for all": lambda release: (release / "data").chmod(0o777),
    "release for all": lambda release: release.chmod(0o757),
}


@pytest.mark.parametrize("kind", SPOILED)
def test_a_release_is_exactly_what_its_manifest_lists(
    call: "Call", folder: Path, kind: str
) -> None:
    sha = in_use(call, folder, b"weights")
    SPOILED[kind](folder / "releases" / sha)
    for code, answer in (call("verify", sha), put_in_use(call, sha)):
        assert (code, answer["error"]) == (65, "corrupt"), answer
    assert call("prepare", sha, "3")[1]["intact"] is False
    assert install(call, folder, b"weights") == sha
    assert put_in_use(call, sha)[0] == 0
    assert call("verify") == (0, {"verified": sha})


def test_a_file_cannot_be_a_folder_too(call: "Call", folder: Path) -> None:
    code, answer = call("install", upload(folder, members({"a": b"x", "a/b": b"y"})))
    assert (code, answer["detail"]) == (65, "manifest.json lists an unsafe file: 'a'")


def test_under_a_lax_umask_nobody_else_may_write(folder: Path, program: Path) -> None:
    healthy = b"print('{\"passed\": true}')\n"
    sha = upload(folder, members({"runner.py": healthy, "data/sub/model": b"weights"}))
    folder.chmod(0o777)
    (folder / "incoming").chmod(0o777)
    timely = (*IN_TIME[:-1], "0.1", "--python", sys.executable)
    for verb, options in (("install", ()), ("switch", timely), ("verify", ())):
        command = [sys.executable, str(program), verb, str(folder), sha, *options]
        subprocess.run(command, check=True, umask=0, stdout=subprocess.DEVNULL)
    while (folder / "current").is_symlink():  # until it is taken back
        time.sleep(0.02)
    mode = {path: path.lstat().st_mode & 0o022 for path in [folder, *folder.rglob("*")]}
    # A group may share the model's folder; what is in it is the agent's.
    assert (mode.pop(folder), mode.pop(folder / "incoming")) == (0o020, 0o020)
    assert set(mode.values()) == {0}
    assert names(folder / "releases") == [sha]


@pytest.mark.parametrize("seed", [0, 1, 4, 5])
def test_whatever_is_done_in_whatever_order(call: "Call", folder: Path, seed: int) -> None:
    """A rollback goes to what was current before, unless that was rejected; none needs a repair."""
    dice = random.Random(seed)
    before: dict[str, str | None] = {}
    rejected: set[str] = set()
    for _ in range(40):
        status = call("status")[1]
        current, installed = status["current"], status["releases"]
        verb = dice.choice(["install", "switch", "switch", "rollback", "prune"])
        if verb == "install" or not installed:
            content = bytes([dice.randrange(6)])
            call(
                "install", upload(folder, members({"runner.py": b"pass\n", "data/model": content}))
            )
        elif verb == "prune":
            assert call("prune", str(dice.randrange(3)))[0] == 0
        elif verb == "switch":
            name = dice.choice(installed)
            assert put_in_use(call, name)[1]["current"] == name
            before.update({name: current} if name != current else {})
            rejected.discard(name)
        else:
            name = dice.choice([current or installed[0], dice.choice(installed)])
            answer = call("rollback", name)[1]
            rejected.add(name)
            assert answer["rolled_back"] is (name == current)
            assert answer["current"] not in rejected
            if name == current and before[name] not in rejected:
                assert answer["current"] == before[name]
        kept = call("status")[1]["current"]
        assert kept == current or verb in ("switch", "rollback")
        assert kept is None or call("verify") == (0, {"verified": kept})
    assert "repair" not in audit(folder)


@pytest.mark.parametrize("name", ["audit.log", "audit.log.1", "supervisor.lock", "lock"])
def test_a_named_pipe_in_a_files_place_blocks_nothing(
    call: "Call", folder: Path, name: str
) -> None:
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
    for verb in (["history"], ["switch", "0" * 64, *IN_TIME], ["prune", "3"]):
        assert call(*verb)[0] in (0, 65, 70)


def test_a_link_to_somebodys_file_does_not_open_that(
    call: "Call", folder: Path, tmp_path: Path
) -> None:
    theirs = tmp_path / "theirs"
    theirs.write_bytes(b"")
    theirs.chmod(0o600)
    (folder / "incoming").rmdir()
    (folder / "incoming").symlink_to(theirs)
    assert call("prune", "3")[0] == 0
    assert theirs.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["audit.log", "audit.log.1", "supervisor.lock", "lock"])
def test_nothing_is_written_through_a_link(
    call: "Call", folder: Path, tmp_path: Path, name: str
) -> None:
    theirs = tmp_path / "theirs"
    theirs.write_bytes(b"words")
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(theirs)
    for verb in (["switch", "0" * 64, *IN_TIME], ["prune", "3"], ["switch", "0" * 64, *IN_TIME]):
        assert call(*verb)[0] in (0, 65, 70)
    assert theirs.read_bytes() == b"words"
