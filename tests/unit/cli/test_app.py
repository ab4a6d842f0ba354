import errno
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from edgeflow import errors
from edgeflow.cli import app as app_module
from edgeflow.cli.display import announced
from edgeflow.errors import ConfigError, IntegrityError, Problem
from tests.unit.cli.conftest import Cli

HEAVY = {
    *("tensorflow", "tf_keras", "openvino", "nncf", "ai_edge_litert", "numpy", "fabric"),
    *("paramiko", "asyncssh", "matplotlib", "sklearn", "PIL", "snakemake"),
}


LEAVES = [value for value in vars(errors).values() if getattr(value, "exit_code", None)]


@pytest.mark.parametrize("leaf", LEAVES, ids=lambda leaf: leaf.__name__)
def test_every_failure_has_its_exit_code(
    leaf: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    problem = Problem(path="models.a", message="went wrong")
    raised = leaf([problem]) if leaf is ConfigError else leaf("went wrong", hint="do this")

    def fail() -> None:
        raise raised

    monkeypatch.setattr(app_module, "command_line", lambda: fail)
    monkeypatch.setattr(sys, "path", list(sys.path))
    with pytest.raises(SystemExit) as caught:
        app_module.main()
    assert caught.value.code == leaf.exit_code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ")
    assert "went wrong" in printed.err
    assert f"hint: {raised.hint}" in printed.err


def test_what_the_file_system_refuses_is_a_failure_of_its_own(cli: Cli) -> None:
    done = cli("init", "/sys/edgeflow")
    assert done.returncode == errors.StorageError.exit_code
    assert done.stderr.startswith("error: /sys/edgeflow: ")
    assert "  see: edgeflow help storage" in done.stderr


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ENOSPC, errno.EDQUOT])
def test_errors_of_the_system_that_users_can_put_right(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announced, "_refusals", [])
    text = announced.refuse(OSError(number, os.strerror(number), "results"))
    assert text.startswith(f"results: {os.strerror(number)}\n  hint: ")
    refused = announced.refusal()
    assert isinstance(refused, errors.StorageError)
    with pytest.raises(ConnectionResetError):
        announced.refuse(ConnectionResetError(errno.ECONNRESET, "reset"))


def test_help_imports_nothing_heavy(cli: Cli) -> None:
    done = cli("--help", options=("-X", "importtime"))
    assert done.returncode == 0
    lines = done.stderr.splitlines()
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}
    assert "typer" in imported
    assert imported & (HEAVY | {"pydantic", "yaml"}) == set()


def test_help_lists_every_command(cli: Cli) -> None:
    text = cli("--help").stdout
    for command in (
        *("check", "run", "summary", "target", "device"),
        *("dataset", "train", "compress", "compile", "bundle", "deploy", "validate", "gate"),
        "report",
    ):
        assert f" {command} " in text


@pytest.mark.parametrize("text", ["[", "[1]", "3", "", "{'a': 1}"])
def test_a_slice_that_is_no_json_object(cli: Cli, text: str, project: Path) -> None:
    done = cli("dataset", "--name", "x", "--slice", text, "--code", "0", "--out", "out")
    assert done.returncode == 2
    assert "JSON" in done.stderr
    assert not (project / "out").exists()


def test_a_step_writes_its_log_and_its_event(cli: Cli, project: Path) -> None:
    slice_ = json.dumps({"source": "digits", "limit": 200, "calibration": 20})
    arguments = ("--name", "digits", "--slice", slice_, "--code", "0", "--out", "out")
    done = cli("dataset", *arguments, "--log", "logs/dataset/digits.log")
    assert done.returncode == 0, done.stderr
    assert (project / "out" / "manifest.json").is_file()
    assert (project / "logs" / "dataset" / "digits.log").is_file()
    [event] = map(json.loads, (project / "logs" / "events.jsonl").read_text().splitlines())
    assert (event["step"], event["name"], event["exit_code"]) == ("dataset", "digits", 0)


def test_what_a_failed_step_says_goes_to_its_log(cli: Cli, project: Path) -> None:
    slice_ = json.dumps({"source": "npz", "path": "none.npz"})
    arguments = ("--name", "mine", "--slice", slice_, "--code", "0", "--out", "out")
    done = cli("dataset", *arguments, "--log", "logs/dataset/mine.log")
    assert done.returncode == 9
    assert (done.stdout, done.stderr) == ("", "")
    text = (project / "logs" / "dataset" / "mine.log").read_text()
    assert text.startswith("error: none.npz does not exist\n  hint: ")
    assert json.loads((project / "logs" / "events.jsonl").read_text())["exit_code"] == 9


def test_a_step_that_fails_before_it_has_a_key_writes_its_event(cli: Cli, project: Path) -> None:
    folders = ("--dataset", "none", "--recipe", "none", "--slice", "{}", "--code", "0")
    arguments = ("--name", "net/int8", *folders, "--out", "out", "--log", "logs/debug/net.log")
    done = cli("debug", *arguments)
    event = json.loads((project / "logs" / "events.jsonl").read_text())
    assert (event["step"], event["name"]) == ("debug", "net/int8")
    assert event["exit_code"] == done.returncode == IntegrityError.exit_code
    assert "none/manifest.json cannot be read as a manifest" in event["error"]


def test_progress_is_seen_on_the_terminal_and_in_the_log(cli: Cli, project: Path) -> None:
    (project / "show.py").write_text(
        "import os, sys\n"
        "from pathlib import Path\n"
        "from edgeflow.cli.log import send_to\n"
        "from edgeflow.console import say\n"
        "send_to(Path('logs/train/x.log'))\n"
        "say('half way')\n"
        "print('details')\n"
        "sys.stdout.flush()\n"
        "os.write(2, b'from C++\\n')\n"
    )
    done = cli("--help", options=("show.py",))
    assert (done.stdout, done.stderr) == ("", "half way\n")
    log = (project / "logs" / "train" / "x.log").read_text()
    assert sorted(log.splitlines()) == ["details", "from C++", "half way"]


def test_a_file_of_the_user_shadows_no_library(cli: Cli, project: Path) -> None:
    for name in ("json", "numpy", "sklearn"):
        (project / f"{name}.py").write_text("raise RuntimeError('shadowed')\n")
    slice_ = '{"source": "digits", "limit": 200, "calibration": 20}'
    arguments = ("--name", "digits", "--slice", slice_, "--code", "0", "--out", "out")
    done = cli("dataset", *arguments, options=("-P",))
    assert done.returncode == 0, done.stderr


def test_all_that_looks_at_something_has_json() -> None:
    root: Any = typer.main.get_command(app_module.app)
    looks = [root.commands[name] for name in ("check", "clean", "doctor", "explain", "summary")]
    for group in ("data", "device", "model", "target"):
        found = root.commands[group]
        names = [name for name in found.list_commands(None) if name != "trust"]
        looks += [found.get_command(None, name) for name in names]
    assert len(looks) > 12
    for command in looks:
        assert "--json" in {option for it in command.params for option in it.opts}, command.name
