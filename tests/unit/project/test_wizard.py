import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from edgeflow.config.load import load_file
from tests.unit.project.conftest import Draw

PROGRAM = "from edgeflow.cli.app import main; main()"


def answered(arguments: list[str], answers: list[str]) -> tuple[str, int]:
    """Run the command line on a terminal, and return what it shows and its exit code."""
    terminal, other = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments], stdin=other, stdout=other, stderr=other
    ) as process:
        os.close(other)
        os.write(terminal, "".join(f"{answer}\n" for answer in answers).encode())
        shown = b""
        try:
            while part := os.read(terminal, 4096):
                shown += part
        except OSError:  # how Linux says that the other end is closed
            pass
    os.close(terminal)
    return shown.decode(), process.returncode


def test_init_asks_on_a_terminal(
    tmp_path: Path, draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw()
    monkeypatch.chdir(tmp_path)
    answers = ["nope", "photos", "photos", "", "net.onnx", "me@kitchen.local"]
    shown, code = answered(["init", "new"], answers)
    assert code == 0, shown
    # each answer is judged at once, and asked for again
    said = ("nope does not exist", "photos is no model file", "'net.onnx' is not [USER@]HOST")
    places = [shown.index(text) for text in said]
    assert places == sorted(places)
    assert shown.count("2 classes: cat 12, dog 12") == 1
    assert "Your data, a folder or .npz file" in shown
    assert "edgeflow device trust kitchen.local" in shown
    assert list(load_file(Path("new/config.yaml")).datasets) == ["photos"]


def test_without_data_init_asks_for_an_example(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shown, code = answered(["init"], ["", "", "pictures", "signal", ""])
    assert code == 0, shown
    assert shown.count("Example: image, audio, signal, model-file") == 2
    assert Path("signals.npz").is_file()
