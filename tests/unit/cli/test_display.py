"""What `edgeflow run` shows, from Snakemake's events; without Snakemake."""

import io
import json
import logging
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from edgeflow.cli.display import announced, selection
from edgeflow.cli.display.announced import Build, Planned, step_of
from edgeflow.cli.display.board import Board, State
from edgeflow.cli.display.failures import error_in, events_since, failures, last_words
from edgeflow.cli.display.logger import snakemake_logger_plugin_edgeflow as plugin
from edgeflow.cli.display.matrix import most_urgent, picture, rows
from edgeflow.cli.display.show import Display
from edgeflow.cli.display.text import counted, duration, listed, resolved, why
from edgeflow.cli.ending import of_earlier_builds
from edgeflow.cli.log import QUIET
from edgeflow.config.load import load_file
from edgeflow.errors import ConfigError
from edgeflow.plan import Plan
from edgeflow.report.rows import Row

Shown = tuple[plugin.LogHandler, io.StringIO]
COMPILE_PI = Planned("compile", "compile", {"target": "pi", "model": "cnn", "recipe": "int8"})
DEPLOY_PI = Planned("deploy", "deploy", {"device": "pi-1", "model": "cnn"})
JOBS = [
    Planned("all", "all", {}),
    Planned("dataset", "dataset", {"dataset": "digits"}),
    COMPILE_PI,
    DEPLOY_PI,
]


@pytest.fixture
def plan(project: Path) -> Plan:
    return Plan(load_file(project / "config.yaml"))


@pytest.fixture
def build(plan: Plan) -> Iterator[Build]:
    """The build of the whole plan, announced."""
    made = Build(
        plan=plan, units=plan.units, chosen="", results=Path("results"), carried_to=None,
        jobs=lambda: JOBS,
    )  # fmt: skip
    announced.announce(made)
    yield made
    announced._builds.clear()


@pytest.fixture
def board() -> Board:
    """Of two deployments, the compilation of one runs."""
    board = Board()
    board.plan(JOBS)
    board.start(1, COMPILE_PI, ["logs/compile/pi.cnn.int8.log"], now_s=10.0)
    return board


def test_a_selection_leaves_what_is_of_one_name_of_each_kind(plan: Plan) -> None:
    def left(**names: list[str]) -> list[str]:
        return [unit.device for unit in selection.select(plan, names)]

    assert left() == left(target=["pi", "intel"]) == left(model=["cnn"]) == ["pi-1", "pc-1"]
    assert left(target=["intel"]) == left(device=["pc-1"], model=["cnn"]) == ["pc-1"]
    with pytest.raises(ConfigError, match="--target pi --device pc-1: no deployment is of all"):
        left(target=["pi"], device=["pc-1"])
    with pytest.raises(ConfigError) as caught:
        left(device=["pi-2"], model=["x"])
    assert "--device pi-2: no such device (did you mean 'pi-1'?)" in str(caught.value)
    assert "--model x: no such model" in str(caught.value)
    assert "edgeflow check" in str(caught.value)


def test_the_rules_get_the_selection_of_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    assert selection.environment({"target": (), "device": ()}) == {}
    chosen = {"device": ["a", "b"], "target": ["t"]}
    for name, value in selection.environment(chosen).items():
        monkeypatch.setenv(name, value)
    assert selection.given() == chosen
    assert selection.options(selection.given()) == "--target t --device a --device b"


def test_what_was_resolved_is_said(build: Build, plan: Plan) -> None:
    assert list(resolved(build))[-1] == "devices:  pi-1, pc-1"
    some = Build(
        plan=plan, units=plan.units[:1], chosen="--device pi-1", results=Path("results"),
        carried_to=None, jobs=lambda: (),
    )  # fmt: skip
    assert list(resolved(some))[-2:] == [
        "devices:  pi-1",
        "selected: 1 of 2 deployments (--device pi-1)",
    ]
    assert listed(str(n) for n in range(1000)) == "0, 1, 2, 3, 4, 5, ... (1000 in all)"


def test_a_cell_is_where_the_deployments_job_is(build: Build, board: Board) -> None:
    steps, found = rows([build], board)
    assert steps == ["dataset", "compile", "deploy"]
    waiting = State.WAITING
    assert [states for _, states in found] == [
        [waiting, State.RUNNING, waiting],
        [waiting, None, None],  # nothing to compile for the other target
    ]
    board.end(1, State.FAILED, now_s=12.5)
    assert board.of(State.FAILED)[0].title == "compile pi/cnn/int8"
    assert board.of(State.FAILED)[0].seconds == 2.5
    assert board.counts.total() == 3  # `all` is no work
    board.start(2, COMPILE_PI, [], now_s=13.0)
    assert not board.of(State.FAILED), "a job that is tried again has not failed"
    assert board.end(99, State.DONE, now_s=0.0) is None


def test_of_many_deployments_those_that_matter_are_shown(build: Build, board: Board) -> None:
    names: dict[str, str] = {}
    states = [State.DONE, State.DONE, State.WAITING, State.RUNNING, State.FAILED, None]
    found = [(names, [state]) for state in states]
    assert [row[1][0] for row in most_urgent(found, 2)] == [State.RUNNING, State.FAILED]
    assert next(row[1][0] for row in most_urgent(found, 4)) is State.DONE

    def shown(height: int, *, unicode: bool) -> str:
        console = Console(file=io.StringIO(), width=100)
        console.print(picture([build], board, unicode=unicode, height=height))
        return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]

    assert "▶" in shown(40, unicode=True)
    small = shown(5, unicode=False)
    assert small.isascii()
    assert "and 1 more deployments" in small
    assert "0 of 3 jobs done, 1 running" in small


def test_failures_name_code_and_log(tmp_path: Path, board: Board) -> None:
    log = tmp_path / "compile.log"
    log.write_text("words\nerror: no such operator\n  hint: none\nTraceback\n")
    board.start(1, COMPILE_PI, [str(log)], now_s=1.0)
    board.start(2, DEPLOY_PI, [str(tmp_path / "none.log")], now_s=1.0)
    board.end(1, State.FAILED, now_s=2.0)
    board.end(2, State.FAILED, now_s=2.0)
    events = tmp_path / "events.jsonl"
    before = json.dumps({"exit_code": 3, "log": str(log), "error": "long ago"}) + "\n"
    events.write_text(before)
    failed = board.of(State.FAILED)
    assert failures(failed, events_since(events, len(before))) == [
        "failed: compile pi/cnn/int8: no such operator",
        f"  log: {log}",
        "failed: deploy pi-1/cnn: no reason was given",
        f"  log: {tmp_path / 'none.log'}",
    ]
    with events.open("a") as file:
        event = {"exit_code": 7, "log": str(log), "error": "pi/cnn/int8: told", "hint": "try fp32"}
        file.write(json.dumps(event) + "\n")
    assert failures(failed[:1], events_since(events, len(before))) == [
        "failed: compile pi/cnn/int8: told",
        "  hint: try fp32",
        "  exit code 7: A converter or compiler rejects the model, or changes it; "
        "see: edgeflow help compile",
        f"  log: {log}",
    ]
    log.write_text("only\nlast words\n\n")
    assert last_words(log) == "last words"
    failed[1].message = "SLURM-job '9' failed"
    failed[1].logs = ["none.log", "slurm/9.log"]
    assert failures(failed[1:], {}) == [
        "failed: deploy pi-1/cnn: SLURM-job '9' failed",
        "  SLURM-job '9' failed",
        "  log: none.log",
        "  log: slurm/9.log",
    ]


@pytest.fixture
def shown(build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shown:
    """A handler of Snakemake's events, and what it has said."""
    monkeypatch.chdir(tmp_path)
    said = io.StringIO()
    monkeypatch.setattr(plugin, "on_standard_error", lambda **options: Display(said, **options))
    settings: Any = SimpleNamespace(dryrun=True, quiet=None, printshellcmds=False)
    return plugin.LogHandler(settings, None), said


def emit(
    handler: plugin.LogHandler, level: int = logging.INFO, msg: str = "", **extra: Any
) -> None:
    record = logging.LogRecord("snakemake", level, "", 0, msg, None, None)
    record.__dict__.update(extra)
    handler.emit(record)


def test_a_dry_run_says_what_would_run_and_why(
    shown: Shown,
) -> None:
    handler, said = shown
    stats = {"all": 1, "compile": 1, "total": 2}
    reason = "Missing output files: a, b; Input files updated by another job: c"
    emit(handler, msg="Building DAG of jobs...")
    emit(handler, event="run_info", stats=stats)
    job: dict[str, Any] = {
        "jobid": 4,
        "rule_name": "compile_long",
        "wildcards": COMPILE_PI.wildcards,
        "log": [],
    }
    emit(handler, event="job_info", shellcmd="edgeflow compile -x", reason=reason, **job)
    emit(handler, event="run_info", stats=stats)
    emit(handler, logging.ERROR, "At least one job did not complete successfully.")
    emit(handler, logging.WARNING, "something odd")
    failed = "RuleException:\nCalledProcessError in file x:\nCommand 'set -euo pipefail;  {}'"
    emit(handler, logging.ERROR, failed.format("edgeflow compile -x"))
    emit(handler, logging.ERROR, failed.format("own"))
    emit(handler, logging.ERROR, "Use --unlock", event="error", exception="LockException")
    handler.close()
    handler.close()
    assert said.getvalue().splitlines()[5:] == [
        "jobs:     1 (1 compile)",
        "compile pi/cnn/int8: missing output files, input files updated by another job",
        "something odd",
        *failed.format("own").splitlines(),
        "error: a build runs in this folder",
        "  hint: wait for it, or end it",
        "  see: edgeflow help other",
    ]


def test_a_failure_is_told_when_it_happens(shown: Shown) -> None:
    handler, said = shown
    job: dict[str, Any] = {"jobid": 4, "rule_name": "compile", "log": ["a.log"]}
    emit(handler, event="job_info", shellcmd="edgeflow compile", reason="", wildcards={}, **job)
    Path("a.log").write_text("error: long ago\nwords\nerror: it broke\n  hint: mend it\n")
    emit(handler, event="job_error", rule_msg="CANCELLED", jobid=4, log=["a.log", "b.log"])
    assert said.getvalue().splitlines()[-4:] == [
        "compile: failed (0.0 s), 1 of 1", "  it broke", "    hint: mend it", "  CANCELLED",
    ]  # fmt: skip
    many = [str(number) for number in range(99)]
    Path("a.log").write_text("\n".join(many))
    assert error_in(Path("a.log")) == many[-10:]
    assert error_in(Path("none.log")) == []
    Path("a.log").write_text("\x1b[2Jred\n")
    assert "\x1b" not in last_words(Path("a.log")), "a log may hold what a device said"


def test_a_configuration_that_is_none_is_told_as_check_tells_it(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler, said = shown
    monkeypatch.setattr(announced, "_refusals", [])
    Path("config.yaml").write_text("a: [1\nb: }")
    message = "WorkflowError in file x, line 1:\nConfig file is not valid JSON or YAML."
    emit(handler, logging.ERROR, message, event="error", exception="WorkflowError")
    emit(handler, msg="Building DAG of jobs...")
    emit(handler, logging.ERROR, "Use --unlock", event="error", exception="LockException")
    handler.close()
    assert "Building DAG" not in said.getvalue()
    assert "line 2: config.yaml: not YAML" in said.getvalue()
    assert "WorkflowError" not in said.getvalue()
    refusal = announced.refusal()
    assert refusal is not None
    assert refusal.exit_code == 2


def test_jobs_are_counted_by_step() -> None:
    stats = {"import_graph": 2, "import_flatbuffer": 1, "gate": 1, "all": 1, "total": 5}
    steps = {"import_graph": "import", "import_flatbuffer": "import"}
    assert counted(stats, steps) == "jobs:     4 (3 import, 1 gate)"


class Terminal(io.StringIO):
    """A terminal that cannot show what ASCII has not."""

    encoding = "ascii"

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("colours", [True, False])
def test_a_terminal_gets_the_picture(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, colours: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "NO_COLOR", QUIET):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    if not colours:
        monkeypatch.setenv("NO_COLOR", "1")
    terminal = Terminal()
    display = Display(terminal)
    assert os.environ[QUIET], "the jobs' own bars run through the picture"
    display.plan({"compile": 1, "total": 1})
    display.start(1, COMPILE_PI, ["none.log"], "", time.time())
    assert display._live is not None
    display._live.stop()
    said = terminal.getvalue()
    assert "compile pi/cnn/int8" in said
    assert "0 of 3 jobs done, 1 running" in said
    assert ("\x1b[33m" in said) is colours
    monkeypatch.setenv("TERM", "dumb")
    assert Display(terminal)._pictured is False


def test_a_build_with_nothing_to_do_says_so(shown: Shown) -> None:
    handler, said = shown
    emit(handler, msg="Building DAG of jobs...")
    emit(handler, msg="Nothing to be done (all requested files are present and up to date).")
    handler.close()
    lines = said.getvalue().splitlines()
    assert lines[0].startswith("deployment")
    assert lines[-1] == "nothing to do: all is up to date"


def test_what_snakemake_does_beside_building_is_shown(
    shown: Shown,
) -> None:
    handler, said = shown
    emit(handler, msg="Unlocked working directory.")
    handler.close()
    assert said.getvalue() == "Unlocked working directory.\n"


def test_words_for_people() -> None:
    assert [duration(s) for s in (0.04, 59.9, 61, 3725)] == [
        "0.0 s",
        "59.9 s",
        "1:01 min",
        "1:02:05",
    ]
    assert why("Params have changed since last execution: x; y") == (
        "params have changed since last execution, y"
    )
    assert step_of("edgeflow import --name x", "import_saved_model") == "import"
    assert step_of("cp a b", "mine") == step_of(None, "mine") == "mine"


def test_rows_that_a_failed_build_was_to_measure_anew_are_named(build: Build) -> None:
    def validate(device: str) -> Planned:
        return Planned("validate", "validate", {"device": device, "model": "cnn"})

    measured_rows = [
        Row(model="cnn", recipe="int8", target="pi", device=device, measured=measured)
        for device, measured in (("pi-1", True), ("pi-2", False), ("pc-1", True))
    ]
    failed = replace(build, left=lambda: [DEPLOY_PI, validate("pi-1"), validate("pi-2")])
    (line,) = of_earlier_builds(failed, measured_rows)
    assert line.endswith(": cnn/int8 on pi-1")
    assert of_earlier_builds(build, measured_rows) == []
