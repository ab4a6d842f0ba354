import io
import os

import pytest

from edgeflow import console


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "_terminal", [])


def test_plain_lines_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with console.progress("train", 2) as advance:
        advance("accuracy 0.5")
        advance("accuracy 0.9")
    assert capsys.readouterr().err == "train: 1/2 accuracy 0.5\ntrain: 2/2 accuracy 0.9\n"


def test_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    console.attach_terminal(terminal)
    with console.progress("train", 2) as advance:
        advance("[loss] 0.5")
        advance("[loss] 0.1")
    assert "100%" in terminal.getvalue()
    assert "[loss] 0.1" in terminal.getvalue()


def test_what_native_code_writes_is_dropped_for_a_while(capfd: pytest.CaptureFixture[str]) -> None:
    with console.native_quiet():
        os.write(2, b"INFO: a delegate\n")
    os.write(2, b"after it\n")
    assert capfd.readouterr().err == "after it\n"
