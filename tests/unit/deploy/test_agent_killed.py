"""The agent cut off, as by a loss of power, between any two system calls that write.

Whatever the moment: `current` is the old release or the new one, and whole; the same verb then
succeeds; a rollback goes to the release that was in use before, never to another one.
"""

import hashlib
import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from edgeflow.artifact.hashing import sha256_file
from edgeflow.artifact.packed import packed
from edgeflow.bundle.archive import write_tar
from edgeflow.ondevice import agent
from edgeflow.ondevice.agent.audit import LOG_MAX_BYTES
from tests.unit.deploy.test_agent import damage, in_use, install, members, upload
from tests.unit.deploy.trials import IN_TIME, put_in_use

if TYPE_CHECKING:
    from tests.unit.deploy.conftest import Call

Ask = Callable[..., dict[str, Any]]
Kill = Callable[..., "Killed"]
FILES = {"runner.py": b"pass\n", "data/model": b"new"}


class Killed:
    """Copies of a model's folder after a verb that was killed; the last was not."""

    def __init__(self, folders: list[Path], calls: list[str]) -> None:
        self.folders = folders
        self.calls = calls


@pytest.fixture
def kill(folder: Path, tmp_path: Path) -> Kill:
    """Kill a verb at each of its calls."""

    def run(*command: str) -> Killed:
        copies = tmp_path / "copies"
        done = subprocess.run(
            [sys.executable, "-m", "tests.unit.deploy.killed", folder, copies, *command],
            capture_output=True,
            text=True,
            check=True,
        )
        calls = json.loads(done.stdout)
        folders = [copies / str(number) for number in range(len(calls) + 1)]
        assert sorted(folders) == sorted(copies.iterdir())
        return Killed(folders, calls)

    return run


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Ask:
    """Run a verb, which must succeed, in any folder."""

    def run(verb: str, folder: Path, *arguments: str) -> dict[str, Any]:
        code = agent.main([verb, str(folder), *arguments])
        answer: dict[str, Any] = json.loads(capsys.readouterr().out)
        assert code == 0, answer
        return answer

    return run


def rolled_back(ask: Ask, folder: Path, name: str) -> str | None:
    """Return what a rollback would leave, without doing it there."""
    copy = folder.with_name(folder.name + "-rolled-back")
    shutil.copytree(folder, copy, symlinks=True)
    answer = ask("rollback", copy, name)
    assert answer["rolled_back"] is True
    assert (copy / "current").is_symlink() is (answer["current"] is not None)
    shutil.rmtree(copy)
    return answer["current"]  # type: ignore[no-any-return]


def leftovers(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if "tmp" in path.name or path.suffix == ".part":
            yield path


def again(ask: Ask, folder: Path, sha: str) -> dict[str, Any]:
    """Put a release in use in a folder, where a verb was cut off; return what `switch` answers."""

    def call(verb: str, *arguments: str) -> tuple[int, dict[str, Any]]:
        return 0, ask(verb, folder, *arguments)

    return put_in_use(call, sha)[1]


def recovered(ask: Ask, killed: Killed, what: str) -> list[dict[str, Any]]:
    """Recover all copies as after a reboot, which ends no trial but takes it back; return states.

    The audit log is whole, and what is in use is what was installed, byte by byte. How many
    boundaries that were shows `--log-cli-level=INFO`.
    """
    logging.getLogger(__name__).info("%d boundaries of %s", len(killed.calls), what)
    ask("recover", killed.folders[0].parent)
    before = [(copy / "journal.json").read_bytes() for copy in killed.folders]
    ask("recover", killed.folders[0].parent)
    after = [(copy / "journal.json").read_bytes() for copy in killed.folders]
    assert after == before, "there was nothing left to do"
    found = []
    for copy in killed.folders:
        status = ask("status", copy)
        assert (status["pending"], status["fault"]) == (None, None)
        assert status["current"] is None or status["state"] == "confirmed"
        for name in filter(None, (status["current"], status["previous"])):
            assert ask("verify", copy, name) == {"verified": name}
        assert ask("history", copy)["chain"] == "whole"
        assert not [path for path in leftovers(copy) if path.suffix != ".part"]
        found.append(status)
    return found


def test_a_switch(call: "Call", folder: Path, ask: Ask, kill: Kill) -> None:
    """Nobody can confirm it any more, so after a reboot it is the old release again."""
    oldest, old = in_use(call, folder, b"oldest"), in_use(call, folder, b"old")
    new = install(call, folder, b"new")
    killed = kill("switch", new, *IN_TIME)
    seen = [ask("status", copy)["current"] for copy in killed.folders]
    assert set(seen) == {old, new}
    assert seen == sorted(seen, key=[old, new].index), "never back and forth"
    for status in recovered(ask, killed, "switch"):
        assert (status["current"], status["previous"]) == (old, oldest)
    for copy in killed.folders:
        assert rolled_back(ask, copy, old) == oldest
        assert again(ask, copy, new)["previous"] == old
        assert rolled_back(ask, copy, new) == old


def test_a_confirmation(call: "Call", folder: Path, ask: Ask, kill: Kill) -> None:
    old, new = in_use(call, folder, b"old"), install(call, folder, b"new")
    token = call("switch", new, *IN_TIME)[1]["token"]
    before = {old: None, new: old}
    killed = kill("confirm", new, token)
    states = recovered(ask, killed, "confirm")
    assert {status["current"] for status in states} == {old, new}
    assert states[-1]["current"] == new
    for status in states:
        assert status["previous"] == before[status["current"]]
    for copy in killed.folders:
        again(ask, copy, new)
        assert rolled_back(ask, copy, new) == old


def test_a_switch_that_is_taken_back(call: "Call", folder: Path, ask: Ask, kill: Kill) -> None:
    """The recovery itself is cut off, at each of its calls, and once more begins."""
    oldest, old = in_use(call, folder, b"oldest"), in_use(call, folder, b"old")
    new = install(call, folder, b"new")
    call("switch", new, *IN_TIME)
    killed = kill("prune", "3")
    seen = [ask("status", copy)["current"] for copy in killed.folders]
    assert set(seen) == {old, new}
    for status in recovered(ask, killed, "taking back"):
        assert (status["current"], status["previous"]) == (old, oldest)
    for copy in killed.folders:
        assert again(ask, copy, new)["previous"] == old


def test_a_switch_to_the_release_before(call: "Call", folder: Path, ask: Ask, kill: Kill) -> None:
    """As after a checkout of an older state: the two are each other's release before."""
    one, two = in_use(call, folder, b"one"), in_use(call, folder, b"two")
    killed = kill("switch", one, *IN_TIME)
    for status in recovered(ask, killed, "switching back"):
        assert (status["current"], status["previous"]) == (two, one)
    for copy in killed.folders:
        again(ask, copy, one)
        assert rolled_back(ask, copy, one) == two


def test_a_rollback(call: "Call", folder: Path, ask: Ask, kill: Kill) -> None:
    oldest, old, new = (in_use(call, folder, name) for name in (b"oldest", b"old", b"new"))
    killed = kill("rollback", new)
    seen = [ask("status", copy)["current"] for copy in killed.folders]
    states = recovered(ask, killed, "rollback")
    assert {status["current"] for status in states} == {old, new}
    for copy, status in zip(killed.folders, states, strict=True):
        assert (status["current"] == old) is (new in status["rejected"]), "all of it or nothing"
        assert ask("rollback", copy, new)["current"] == old
        status = ask("status", copy)
        assert (status["previous"], status["rejected"]) == (oldest, [new])
        assert rolled_back(ask, copy, old) == oldest
        assert not list(leftovers(copy))
    assert set(seen) == {old, new}


def test_a_rollback_to_nothing(call: "Call", folder: Path, ask: Ask, kill: Kill) -> None:
    new = in_use(call, folder, b"new")
    for copy in kill("rollback", new).folders:
        assert ask("rollback", copy, new)["current"] is None
        assert not os.path.lexists(copy / "current")
        assert again(ask, copy, new)["current"] == new


def test_an_installation(call: "Call", folder: Path, ask: Ask, kill: Kill) -> None:
    oldest, old = in_use(call, folder, b"oldest"), in_use(call, folder, b"old")
    content = {info.name: data for info, data in members(FILES)}
    whole, delta = folder.parent / "whole", folder.parent / "delta"
    write_tar(whole, content)
    del content["runner.py"]  # which the old ones hold too
    write_tar(delta, content)
    new, sent = sha256_file(whole), packed(delta.read_bytes())
    options = ["--form", "delta.zst", "--packed-from", str(delta.stat().st_size)]
    part = folder / "incoming" / f"{new}.delta.zst.part"
    part.write_bytes(sent)
    killed = kill("install", new, *options)
    recovered(ask, killed, "install")
    for copy in killed.folders:
        status = ask("status", copy)
        assert (status["current"], status["previous"]) == (old, oldest)
        for name in status["releases"]:
            assert ask("verify", copy, name) == {"verified": name}
        ready = ask("prepare", copy, new, "3")
        assert ready["intact"] is (new in status["releases"])
        if not ready["intact"]:
            (copy / "incoming" / part.name).write_bytes(sent)
        ask("install", copy, new, *options)
        assert ask("verify", copy, new) == {"verified": new}
        assert again(ask, copy, new)["previous"] == old
        assert not list(leftovers(copy))


def test_a_repair_of_the_release_in_use(call: "Call", folder: Path, ask: Ask, kill: Kill) -> None:
    """What is whole in it stays in use throughout; what is damaged becomes whole, file by file."""
    old, new = in_use(call, folder, b"old"), in_use(call, folder, b"new")
    release = folder / "releases" / new
    damage(release / "data" / "model")
    (release / "data" / "extra").mkdir()
    upload(folder, members(FILES))
    for copy in kill("install", new).folders:
        assert ask("status", copy)["current"] == new
        assert (copy / "current" / "runner.py").read_bytes() == FILES["runner.py"]
        assert (copy / "current" / "data" / "model").read_bytes() in (b"new", b"???")
        upload(copy, members(FILES))
        ask("install", copy, new)
        assert ask("verify", copy) == {"verified": new}
        assert rolled_back(ask, copy, new) == old
        assert not list(leftovers(copy))


def test_a_prune(call: "Call", folder: Path, ask: Ask, kill: Kill) -> None:
    names = [in_use(call, folder, bytes([number])) for number in range(4)]
    put_in_use(call, names[1])
    killed = kill("prune", "1")
    recovered(ask, killed, "prune")
    for copy in killed.folders:
        status = ask("status", copy)
        assert (status["current"], status["previous"]) == (names[1], names[3])
        for name in status["releases"]:
            assert ask("verify", copy, name) == {"verified": name}
        ask("prune", copy, "1")
        assert sorted(ask("status", copy)["releases"]) == sorted([names[1], names[3]])
        assert rolled_back(ask, copy, names[1]) == names[3]
        assert not list(leftovers(copy))


def test_a_repair_of_journal_and_link(call: "Call", folder: Path, ask: Ask, kill: Kill) -> None:
    old, new = in_use(call, folder, b"old"), in_use(call, folder, b"new")
    shutil.rmtree(folder / "releases" / new)
    (folder / "journal.json.tmp").write_text("half")
    for copy in kill("prepare", new, "3").folders:
        assert ask("status", copy)["current"] in (None, old)
        ask("prepare", copy, new, "3")
        assert ask("status", copy)["current"] == old
        assert ask("verify", copy) == {"verified": old}


def test_a_log_that_is_full(call: "Call", folder: Path, ask: Ask, kill: Kill) -> None:
    in_use(call, folder, b"new")
    old = b"{}\n" * LOG_MAX_BYTES
    (folder / "audit.log").write_bytes(old)
    seen = []
    for copy in kill("prune", "3").folders:
        seen.append((copy / "audit.log").exists())
        assert (copy / ("audit.log" if seen[-1] else "audit.log.1")).read_bytes() == old
        ask("prune", copy, "3")
        assert (copy / "audit.log.1").read_bytes() == old
    assert set(seen) == {True, False}


def test_data_that_nothing_uses(folder: Path, ask: Ask, kill: Kill) -> None:
    """Wherever the removal ends, what is there is whole, and the next one goes on."""
    unused, wanted = (hashlib.sha256(name).hexdigest() for name in (b"unused", b"wanted"))
    (folder / unused).mkdir()
    (folder / unused / "x.npy").write_bytes(b"unused")
    os.utime(folder / unused, (0, 0))
    for copy in kill("find-data", wanted, "x.npy").folders:
        (copy / f"{wanted}.part").write_bytes(b"wanted")
        assert ask("find-data", copy, wanted, "x.npy")["received_bytes"] == 6
        path = ask("store-data", copy, wanted, "x.npy")["path"]
        assert Path(path).read_bytes() == b"wanted"
        assert ask("find-data", copy, wanted, "x.npy")["stored"] is True
        assert not (copy / unused).exists()


def test_all_is_on_the_disk_before_the_switch(call: "Call", folder: Path, kill: Kill) -> None:
    """What a kill cannot show: after a power cut a file that was not synced has no content."""
    in_use(call, folder, b"old")
    killed = kill("switch", install(call, folder, b"new"), *IN_TIME)
    copy, first = killed.folders[-1].name, killed.calls.index("open journal.json.tmp")
    assert killed.calls[first : first + 8] == [
        "open journal.json.tmp",
        "write journal.json.tmp",
        "fsync journal.json.tmp",
        "replace journal.json",
        f"fsync {copy}",
        "symlink .current.tmp",
        "replace current",
        f"fsync {copy}",
    ]


def test_a_release_is_on_the_disk_before_it_is_in_place(
    call: "Call", folder: Path, kill: Kill
) -> None:
    new = upload(folder, members(FILES))
    calls = kill("install", new).calls
    before = calls[: calls.index(f"rename {new}")]
    for name in ("runner.py", "model", "manifest.json", "data", f".tmp-{new}", "journal.json.tmp"):
        assert f"fsync {name}" in before
    assert calls[calls.index(f"rename {new}") + 1] == "fsync releases"
