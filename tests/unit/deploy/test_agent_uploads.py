"""Uploads that were cut, uploads of several hosts at once, and what is worth keeping."""

import hashlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edgeflow.ondevice import agent
from edgeflow.ondevice.agent.kept import FETCHED_S
from edgeflow.ondevice.agent.uploads import FORMS, STALE_S, upload_name
from tests.unit.deploy.test_agent import in_use, install, members, names, upload
from tests.unit.deploy.trials import put_in_use

if TYPE_CHECKING:
    from tests.unit.deploy.conftest import Call

MINE, OTHER = "0" * 16, "f" * 16
SHA, NEXT = "ab" * 32, "cd" * 32


def prepare(call: "Call", sha: str, uploader: str = MINE, form: str = "tar") -> str:
    """Get ready for an upload; return the name of its file."""
    assert call("prepare", sha, "3", "--uploader", uploader)[0] == 0
    return upload_name(sha, uploader, form)


def cut(folder: Path, part: str, age_s: float = 0.0) -> str:
    """Leave an upload that was cut some time ago."""
    path = folder / "incoming" / part
    path.write_bytes(b"half")
    then = time.time() - age_s
    os.utime(path, (then, then))
    return part


def test_a_cut_upload_is_kept_for_its_host_to_continue(call: "Call", folder: Path) -> None:
    part = cut(folder, prepare(call, SHA), age_s=1e6)
    code, answer = call("prepare", SHA, "3", "--uploader", MINE)
    received = {"tar": 4, "tar.zst": 0, "delta": 0, "delta.zst": 0}
    assert (code, answer["received"]) == (0, received)
    assert names(folder / "incoming") == [part]


def test_the_first_upload_finds_its_folder(call: "Call", folder: Path) -> None:
    (folder / "incoming").rmdir()
    cut(folder, prepare(call, SHA))


def test_a_cut_upload_goes_when_its_host_sends_something_else(call: "Call", folder: Path) -> None:
    for form in FORMS:
        cut(folder, prepare(call, SHA, form=form))
    assert len(names(folder / "incoming")) == len(FORMS)
    prepare(call, NEXT)
    assert names(folder / "incoming") == []


def test_uploads_of_others_go_only_once_they_stand_still(call: "Call", folder: Path) -> None:
    part = prepare(call, SHA, uploader=OTHER)
    cut(folder, part, age_s=STALE_S - 60)
    prepare(call, SHA)
    assert names(folder / "incoming") == [part]
    for age_s in (STALE_S + 60, -STALE_S - 60):  # the clock may have been set back
        cut(folder, part, age_s)
        prepare(call, SHA)
        assert names(folder / "incoming") == []
    cut(folder, f"{SHA}.part", age_s=STALE_S + 60)  # as by hand
    assert call("prune", "3") == (0, {"removed": []})
    assert names(folder / "incoming") == []


def test_two_hosts_with_the_same_bundle_leave_each_other_alone(call: "Call", folder: Path) -> None:
    sha = upload(folder, members({"runner.py": b"pass\n"}))
    whole = (folder / "incoming" / f"{sha}.part").read_bytes()
    (folder / "incoming" / f"{sha}.part").unlink()
    mine, other = prepare(call, sha), prepare(call, sha, uploader=OTHER)
    (folder / "incoming" / other).write_bytes(whole[:100])
    (folder / "incoming" / mine).write_bytes(whole)
    assert call("install", sha, "--uploader", MINE)[1]["changed"] is True
    assert names(folder / "incoming") == [other]
    assert put_in_use(call, sha)[0] == 0
    assert call("prune", "3")[0] == 0
    with (folder / "incoming" / other).open("ab") as file:
        file.write(whole[100:])
    code, answer = call("install", sha, "--uploader", OTHER)
    assert (code, answer["changed"]) == (0, False)
    assert names(folder / "incoming") == []


def test_a_bad_upload_of_one_host_is_not_the_others(call: "Call", folder: Path) -> None:
    part = cut(folder, prepare(call, SHA, uploader=OTHER))
    cut(folder, prepare(call, SHA))
    assert call("install", SHA, "--uploader", MINE)[0] == 65
    assert names(folder / "incoming") == [part]


def test_a_host_has_one_upload_of_data_and_none_of_what_is_stored(tmp_path: Path) -> None:
    sha = hashlib.sha256(b"samples").hexdigest()

    def find(sha: str) -> list[str]:
        assert agent.main(["find-data", str(tmp_path), sha, "x.npy", "--uploader", MINE]) == 0
        return sorted(path.name for path in tmp_path.glob("*.part"))

    for name in (sha, NEXT):
        (tmp_path / f"{name}.{MINE}.part").write_bytes(b"samples")
    assert find(sha) == [f"{sha}.{MINE}.part"]
    assert agent.main(["store-data", str(tmp_path), sha, "x.npy", "--uploader", MINE]) == 0
    (tmp_path / f"{sha}.{MINE}.part").write_bytes(b"samples")
    assert find(sha) == []


def test_outputs_go_once_they_must_have_been_fetched(call: "Call", folder: Path) -> None:
    old, new, mine = (f"outputs.{uploader}.y.npy" for uploader in (MINE, OTHER, "mine"))
    asked, cut = f"samples.{MINE}.npy", f"samples.{OTHER}.npy.part"
    ages = {old: FETCHED_S + 60, new: FETCHED_S - 60, mine: 9e9, asked: 9e9, cut: 9e9}
    for name, age_s in ages.items():
        (folder / name).write_bytes(b"y")
        os.utime(folder / name, (time.time() - age_s,) * 2)
    prepare(call, SHA)
    assert set(names(folder)) & ages.keys() == {new, mine}


@pytest.mark.parametrize("uploader", ["", "../x", "A" * 16, "0" * 15])
def test_only_an_uploader_names_an_upload(call: "Call", uploader: str) -> None:
    code, answer = call("install", SHA, "--uploader", uploader)
    assert (code, answer["error"]) == (64, "usage")
    assert "not an uploader" in answer["detail"]


def test_pruning_keeps_as_many_as_asked(call: "Call", folder: Path) -> None:
    shas = [in_use(call, folder, bytes([number])) for number in range(3)]
    assert call("prune", "4") == (0, {"removed": []})
    assert call("prune", "3") == (0, {"removed": []})
    assert call("prune", "0") == (0, {"removed": shas[:1]})


def test_the_order_is_that_of_installation_whatever_the_clock(call: "Call", folder: Path) -> None:
    shas = [in_use(call, folder, bytes([number])) for number in range(5)]
    for age, sha in enumerate(shas):
        os.utime(folder / "releases" / sha, (9e8 - age, 9e8 - age))
    assert call("status")[1]["releases"] == shas
    assert call("prune", "3") == (0, {"removed": shas[:2]})


def test_failed_releases_push_out_none_that_passed(call: "Call", folder: Path) -> None:
    good = [in_use(call, folder, bytes([number])) for number in range(3)]
    for number in range(3, 8):
        failed = install(call, folder, bytes([number]))
        call("rollback", failed)
        call("prune", "3")
        assert call("status")[1]["releases"] == [*good, failed]
    prepare(call, SHA)  # room is made for it
    assert call("status")[1]["releases"] == good


def test_a_release_that_the_journal_does_not_know_can_go(call: "Call", folder: Path) -> None:
    unknown, newer = folder / "releases" / ("0" * 64), folder / "releases" / ("1" * 64)
    kept = in_use(call, folder, b"kept")
    for release in (unknown, newer):
        release.mkdir()
    assert call("prune", "1")[1]["removed"]
    assert kept in call("status")[1]["releases"]
    assert not (unknown.exists() and newer.exists())


def test_a_removed_release_leaves_no_gap_on_the_way_back(call: "Call", folder: Path) -> None:
    removed, previous, current, newest = (
        install(call, folder, bytes([number])) for number in range(4)
    )
    for sha in (newest, removed, previous, current):
        put_in_use(call, sha)
    assert call("prune", "1") == (0, {"removed": [removed]})
    assert call("rollback", current)[1]["current"] == previous
    assert call("status")[1]["previous"] == newest


def test_room_is_made_for_what_is_to_come(
    call: "Call", folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shas = [in_use(call, folder, bytes([number])) for number in range(3)]
    need = ("--need-bytes", "1000", "--uploader", MINE)
    usage = list(os.statvfs(folder))
    for have, left in ((1000, shas), (999, shas[1:])):
        usage[1], usage[4] = 1, have  # f_frsize, f_bavail
        monkeypatch.setattr(os, "statvfs", lambda path: os.statvfs_result(usage))
        assert call("prepare", SHA, "3", *need)[1]["intact"] is False
        assert call("status")[1]["releases"] == left
    assert call("rollback", shas[2])[1]["current"] == shas[1]


def test_a_removed_release_leaves_no_release_before_itself(call: "Call", folder: Path) -> None:
    one, two = in_use(call, folder, b"one"), in_use(call, folder, b"two")
    for sha in (one, two):  # as after checkouts back and forth
        assert put_in_use(call, sha)[0] == 0
    three = in_use(call, folder, b"three")
    assert call("prune", "0") == (0, {"removed": [one]})
    assert call("rollback", three)[1]["current"] == two
    status = call("status")[1]
    assert (status["previous"], status["rejected"]) == (None, [three])
