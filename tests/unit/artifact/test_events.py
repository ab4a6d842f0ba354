import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edgeflow.artifact import events
from edgeflow.artifact.events import recorded, set_event_log
from edgeflow.errors import CompileError

WRITER = """\
import sys
from pathlib import Path
from edgeflow.artifact.events import recorded, set_event_log
set_event_log(Path(sys.argv[1]))
for index in range(100):
    with recorded("train", f"{sys.argv[2]}-{index}") as event:
        event.facts["key"] = "x" * 5000
"""


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Send this process' events to a file of the test."""
    monkeypatch.setattr(events, "_LOG", [])
    path = tmp_path / "logs" / "events.jsonl"
    set_event_log(path)
    return path


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_step_that_ends_well(log: Path) -> None:
    with recorded("train", "cnn") as event:
        event.facts["key"] = "abc"
    (record,) = records(log)
    assert (record["step"], record["name"]) == ("train", "cnn")
    assert (record["outcome"], record["exit_code"], record["key"]) == ("done", 0, "abc")
    assert 0 <= record["seconds"] < 60
    assert record["peak_rss_mb"] > 1


@pytest.mark.parametrize(
    ("error", "code"), [(CompileError("no"), 7), (ValueError(), 1), (KeyboardInterrupt(), 1)]
)
def test_a_step_that_fails(log: Path, error: BaseException, code: int) -> None:
    with pytest.raises(type(error)), recorded("compile", "cnn"):
        raise error
    (record,) = records(log)
    assert (record["outcome"], record["exit_code"]) == ("failed", code)


def test_events_of_many_processes_stay_whole_lines(log: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(log)]
    writers = [subprocess.Popen([*command, str(number)]) for number in range(4)]
    assert [writer.wait() for writer in writers] == [0] * 4
    names = {record["name"] for record in records(log)}
    assert names == {f"{number}-{index}" for number in range(4) for index in range(100)}


def test_a_log_that_cannot_be_written_hides_no_failure(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log.mkdir(parents=True)
    with pytest.raises(CompileError), recorded("compile", "cnn"):
        raise CompileError("no")
    assert "cannot be written: Is a directory" in capsys.readouterr().err
