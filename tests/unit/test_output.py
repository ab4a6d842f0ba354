"""What programs print goes to the step's log, bounded; messages get the end of it."""

import sys
from pathlib import Path

import pytest

from edgeflow import console
from edgeflow.errors import CompileError, shown
from edgeflow.output import HEAD_CHARACTERS, TAIL_CHARACTERS, log_printed, run_logged


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(console, "_log", [tmp_path / "step.log"])
    return tmp_path / "step.log"


def python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


def test_a_program_is_heard_in_the_log_alone(
    log: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    program = "import sys; print('10 %\\r20 %\\n\\x1b[1merror: no'); sys.exit('reason \\udc80')"
    ended = run_logged(python(program))
    assert (ended.exit_code, ended.stdout) == (1, "10 %\n20 %\n\x1b[1merror: no\n")
    assert ended.stderr == "reason \\udc80\n"
    said = capsys.readouterr()
    assert said.out == ""
    assert sorted(said.err.splitlines()) == sorted(
        ["| 10 %", "| 20 %", "| error: no", r"| reason \udc80"]
    )
    monkeypatch.setattr(console, "_log", [])
    assert run_logged(python(program)) == ended
    assert capsys.readouterr().err == "", "a terminal is not for what the tools print"


def test_of_much_that_is_printed_both_ends_are_kept(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [f"{n:09}\n" for n in range(60_000)]
    ended = run_logged(python("for n in range(60_000): print(f'{n:09}')"))
    assert "".join(lines).endswith(ended.stdout)
    assert len(ended.stdout) <= TAIL_CHARACTERS
    heard = capsys.readouterr().err.splitlines()
    assert len(heard) < 1.3 * (HEAD_CHARACTERS + TAIL_CHARACTERS) / len(lines[0])
    (gap,) = [n for n, line in enumerate(heard) if "characters" in line]
    assert heard[:gap] == [f"| {n:09}" for n in range(gap)]
    rest = len(heard) - gap - 1
    assert heard[gap + 1 :] == [f"| {n:09}" for n in range(60_000 - rest, 60_000)]
    assert heard[gap] == f"| ... {10 * (60_000 - gap - rest):,} characters ..."


def test_a_line_without_an_end_is_bounded_too(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_logged(python("print('x' * 10_000_000, end='')"))
    assert len(capsys.readouterr().err) < 2 * (HEAD_CHARACTERS + TAIL_CHARACTERS)


def test_what_was_printed_elsewhere_is_heard_once(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log_printed("one\ntwo", "three\n")
    assert capsys.readouterr().err == "| one\n| two\n| three\n"


def test_a_failure_names_the_log_it_has() -> None:
    error = CompileError("net: no", hint="try another")
    said = ["error: net: no", "  hint: try another", "  see: edgeflow help compile"]
    assert shown(error).splitlines() == said
    assert shown(error, Path("a.log")).splitlines() == [*said[:2], "  log: a.log", said[2]]
