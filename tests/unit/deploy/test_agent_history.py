"""The audit log is a chain: what a power cut leaves is told from what somebody has done to it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edgeflow.ondevice.agent.audit import LOG_MAX_BYTES, audit
from tests.unit.deploy.test_agent import install

if TYPE_CHECKING:
    from tests.unit.deploy.conftest import Call


@pytest.fixture
def log(folder: Path) -> Path:
    """A log of five lines."""
    for number in range(5):
        audit(str(folder), "install", sha=str(number))
    return folder / "audit.log"


def chain(call: "Call") -> str:
    code, answer = call("history", "--last", "3")
    assert code == 0
    return str(answer["chain"])


def test_the_last_entries_are_given(call: "Call", log: Path) -> None:
    answer = call("history", "--last", "2")[1]
    assert [entry["sha"] for entry in answer["entries"]] == ["3", "4"]
    assert answer["chain"] == "whole"
    assert call("history", "--last", "0")[1]["entries"] == []


def test_there_need_not_be_a_log(call: "Call") -> None:
    assert call("history") == (0, {"entries": [], "chain": "whole"})


def drop(place: int) -> Callable[[list[str]], list[str]]:
    return lambda lines: lines[:place] + lines[place + 1 :]


def change(place: int, old: str, new: str) -> Callable[[list[str]], list[str]]:
    def changed(lines: list[str]) -> list[str]:
        lines[place] = lines[place].replace(old, new)
        return lines

    return changed


TAMPERED: dict[str, tuple[Callable[[list[str]], list[str]], str]] = {
    "first removed": (drop(0), "broken at line 1"),
    "one removed": (drop(2), "broken at line 3"),
    "two swapped": (lambda lines: [*lines[:1], lines[2], lines[1], *lines[3:]], "broken at line 2"),
    "one twice": (lambda lines: [*lines[:2], *lines[1:]], "broken at line 3"),
    "a word changed": (change(1, "install", "confirm"), "broken at line 3"),
    "one unchained": (change(2, '"before"', '"after"'), "broken at line 3"),
    "one cut": (lambda lines: [*lines[:2], lines[2][:9], *lines[3:]], "broken at line 3"),
    "the last one junk": (lambda lines: [*lines[:4], "junk"], "broken at line 5"),
    "a line of somebody's": (lambda lines: [*lines[:2], "junk", *lines[2:]], "broken at line 3"),
}


@pytest.mark.parametrize("kind", TAMPERED)
def test_what_somebody_has_changed_shows(call: "Call", log: Path, kind: str) -> None:
    tamper, said = TAMPERED[kind]
    log.write_text("".join(f"{line}\n" for line in tamper(log.read_text().splitlines())))
    assert chain(call) == said
    audit(str(log.parent), "prune")
    if kind != "the last one junk":  # half a line in the last place may be a power cut's
        assert chain(call) == said


@pytest.mark.parametrize("left", [1, 40, -1], ids=["a byte", "half", "all but its end"])
def test_a_power_cut_breaks_nothing(call: "Call", log: Path, left: int) -> None:
    whole = log.read_bytes()
    start = whole[:-1].rindex(b"\n") + 1
    log.write_bytes(whole[: start + left] if left > 0 else whole[:-1])
    assert chain(call) == "whole"
    audit(str(log.parent), "prune")
    assert chain(call) == "whole"
    cut = log.read_bytes()
    log.write_bytes(cut[:-20])  # and once more, in the line that says so
    audit(str(log.parent), "prune")
    assert chain(call) == "whole"
    log.write_bytes(log.read_bytes().replace(b'{"before', b'{"Before', 1))
    assert chain(call) != "whole"


def test_a_rotation_keeps_the_chain(call: "Call", folder: Path, log: Path) -> None:
    while log.stat().st_size <= LOG_MAX_BYTES:
        audit(str(folder), "prune", reason="x" * 1000)
    log.write_bytes(log.read_bytes()[:-5])
    install(call, folder, b"new")
    lines = log.read_text().splitlines()
    assert [json.loads(line)["verb"] for line in lines] == ["install"]
    assert chain(call) == "whole"
    older = folder / "audit.log.1"
    kept = older.read_bytes()
    older.write_bytes(kept.replace(b"prune", b"PRUNE", 1))
    assert chain(call) == "broken at line 7 of audit.log.1"
    older.write_bytes(kept[kept.index(b"\n") + 1 :])
    assert chain(call) == "whole", "of the oldest log nobody knows the first line"
    older.unlink()
    assert chain(call) == "broken at line 1"


def test_lines_of_an_older_agent_are_the_first(call: "Call", folder: Path) -> None:
    (folder / "audit.log").write_text('{"verb": "install"}\n{"verb": "activate"}\n')
    assert chain(call) == "whole"
    audit(str(folder), "prune")
    assert chain(call) == "whole"
    with (folder / "audit.log").open("a") as file:
        file.write('{"verb": "install"}\n')
    assert chain(call) == "broken at line 4"
