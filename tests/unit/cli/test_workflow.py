"""What `edgeflow run` starts, for a project that brings all, some or nothing of a workflow."""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgeflow.cli import workflow
from edgeflow.cli.start_snakemake import refuse_arguments
from edgeflow.cli.workflow import call_own_command, snakemake_command
from edgeflow.errors import ConfigError
from edgeflow.paths import lock_file, workflow_folder

SNAKEMAKE = [sys.executable, "-m", "edgeflow.cli.start_snakemake"]
SNAKEFILE = ["--snakefile", str(workflow_folder() / "Snakefile")]
SETTINGS = ["--workflow-profile", str(workflow_folder() / "profiles/default")]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def add(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_a_configuration_is_enough(folder: Path) -> None:
    add(folder, "config.yaml")
    assert snakemake_command(["-n"]) == [*SNAKEMAKE, *SNAKEFILE, *SETTINGS, "-n"]


@pytest.mark.parametrize("snakefile", ["Snakefile", "workflow/Snakefile"])
def test_what_the_project_has_is_taken(folder: Path, snakefile: str) -> None:
    add(folder, snakefile)
    assert snakemake_command([]) == [*SNAKEMAKE, *SETTINGS]
    add(folder, "profiles/default/config.yaml")
    assert snakemake_command([]) == SNAKEMAKE


@pytest.mark.parametrize(
    ("arguments", "added"),
    [
        (["-s", "x"], []),
        (["--snakefile=x"], []),
        (["--configfile", "x.yaml"], SNAKEFILE),
        (["--directory=x"], SNAKEFILE),
    ],
)
def test_what_the_command_line_names_is_taken(
    folder: Path, arguments: list[str], added: list[str]
) -> None:
    given = [*arguments, "--workflow-profile", "none"]
    assert snakemake_command(given) == [*SNAKEMAKE, *added, *given]


@pytest.mark.parametrize("form", [["--profile", "{}"], ["--profile={}"]])
def test_a_profile_is_the_projects_or_the_one_that_edgeflow_brings(
    folder: Path, form: list[str]
) -> None:
    def asked(value: str) -> list[str]:
        return [part.format(value) for part in form]

    add(folder, "config.yaml")
    brought = asked(str(workflow_folder() / "profiles/slurm"))
    assert snakemake_command(asked("profiles/slurm"))[-len(form) :] == brought
    assert snakemake_command(asked("elsewhere"))[-len(form) :] == asked("elsewhere")
    add(folder, "profiles/slurm/config.yaml")
    assert snakemake_command(asked("profiles/slurm"))[-len(form) :] == asked("profiles/slurm")


def test_a_folder_without_a_project_is_told_how_to_begin(folder: Path) -> None:
    with pytest.raises(ConfigError, match=f"no such file in {folder}\n.*edgeflow init DIR"):
        snakemake_command([])


def test_a_lock_is_the_projects_or_the_one_that_edgeflow_brings(folder: Path) -> None:
    name = "envs/litert-device.txt"
    assert lock_file(name) == workflow_folder() / name
    assert lock_file("envs/none.txt") == Path("envs/none.txt")
    add(folder, name)
    assert lock_file(name) == Path(name)


def test_rules_call_the_edgeflow_of_this_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Path(sys.executable).with_name("edgeflow")
    other, tools = tmp_path / "other/edgeflow", tmp_path / "tools/edgeflow"
    for command in (other, tools):
        command.parent.mkdir()
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    tools.symlink_to(own)  # as uv does

    monkeypatch.setenv("PATH", f"{tools.parent}:/bin")
    call_own_command()
    assert os.environ["PATH"] == f"{tools.parent}:/bin"

    for path in ("/nowhere", str(other.parent)):
        monkeypatch.setenv("PATH", path)
        call_own_command()
        assert shutil.which("edgeflow") == str(own)

    monkeypatch.setenv("EDGEFLOW_BIN", str(other.parent))
    call_own_command()
    assert shutil.which("edgeflow") == str(other)


def test_what_runs_on_a_cluster_is_what_its_page_says() -> None:
    found = "".join(path.read_text() for path in (workflow_folder() / "rules").glob("*.smk"))
    _, *rules = re.split(r"^(?=(?:use )?rule )", found, flags=re.MULTILINE)
    heads = [re.match(r"(?:use rule \w+ as|rule) (\w+)", rule) for rule in rules]
    jobs = {
        head[1]
        for head, rule in zip(heads, rules, strict=True)
        if head is not None and "localrule: True" not in rule
    }
    page = (workflow_folder() / "docs/cluster.md").read_text()
    assert jobs == set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)[: len(jobs)])


def test_objects_that_are_kept_are_not_collected_again_and_again() -> None:
    code = """\
import gc
from edgeflow.cli import workflow
from edgeflow.cli.workflow import collect_less
collect_less()
before = [each["collections"] for each in gc.get_stats()]
kept = [[] for _ in range(150_000)]
print([each["collections"] for each in gc.get_stats()] == before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


def test_a_request_to_end_is_passed_on_and_told(tmp_path: Path) -> None:
    child = """
import pathlib, signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
pathlib.Path(sys.argv[1]).touch()
signal.pause()
"""
    code = """
import os, signal, sys
from edgeflow.cli import workflow
print(workflow._attended([sys.executable, "-c", *sys.argv[1:]], os.environ))
print(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)
"""
    ready = tmp_path / "ready"
    command = [sys.executable, "-c", code, child, str(ready)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        while not ready.exists():
            time.sleep(0.01)
        process.terminate()
        said, _ = process.communicate(timeout=60)
    assert said == f"(7, {int(signal.SIGTERM)})\nTrue\n"


def test_the_claim_of_a_killed_process_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = (
        "import os, pathlib, subprocess\n"
        "from edgeflow.cli.workflow import claim, claims\n"
        "assert claim(pathlib.Path.cwd())\n"
        "step = subprocess.Popen(['sleep', '100'], pass_fds=claims(), stdout=subprocess.DEVNULL)\n"
        "print(step.pid, flush=True)\n"
        "input()\n"
    )
    builder = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert builder.stdout is not None
    step = int(builder.stdout.readline())
    assert not workflow.claim(tmp_path)
    assert f"(process {builder.pid})" in str(workflow.busy(tmp_path))
    builder.kill()
    builder.communicate()
    monkeypatch.setattr(workflow, "_ENDING_S", 0.0)
    assert not workflow.claim(tmp_path)
    monkeypatch.setattr(workflow, "_ENDING_S", 60.0)
    os.kill(step, signal.SIGKILL)
    assert workflow.claim(tmp_path)


def test_a_build_that_was_stopped_says_so(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kill = [sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]
    monkeypatch.setattr(workflow, "snakemake_command", lambda _: kill)
    assert workflow.run_snakemake([], {}) == 137
    assert capsys.readouterr().err.startswith("stopped by SIGKILL; `edgeflow run` goes on")
    workflow.run_snakemake([], {"device": ["pi-1"]})
    assert "`edgeflow run --device pi-1` goes on" in capsys.readouterr().err


def test_a_rollout_that_was_stopped_ends_as_it_would_by_itself(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = """
import os, pathlib, signal
pathlib.Path("logs").mkdir(exist_ok=True)
with open("logs/events.jsonl", "a") as file:
    print('{"exit_code": 12}', file=file)
os.kill(os.getpid(), signal.SIGTERM)
"""
    monkeypatch.setattr(workflow, "snakemake_command", lambda _: [sys.executable, "-c", code])
    assert workflow.run_snakemake([], {"rollout": ["spring"]}) == 12
    assert capsys.readouterr().err == (
        "stopped by SIGTERM; `edgeflow rollout spring --resume` goes on where this ended\n"
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_request_to_end_while_the_report_is_drawn_shows_no_traceback(number: int) -> None:
    code = f"""
import os, runpy, signal, sys
from edgeflow.cli import start_snakemake

signal.signal({int(number)}, signal.SIG_DFL)  # who runs the tests may ignore it, as by nohup

def draw(*_, **__):
    from snakemake.scheduling.job_scheduler import JobScheduler
    assert "snakemake_executor_plugin_slurm.efficiency_report" in sys.modules
    assert not {{"numpy._core", "pandas.core"}} & sys.modules.keys()  # though it imports them
    signal.signal(signal.SIGTERM, JobScheduler.exit_gracefully)  # as Snakemake does
    os.kill(os.getpid(), {int(number)})
    signal.pause()

runpy.run_module = draw
start_snakemake.main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--divice", "x"], "unrecognized arguments: --divice x\n  hint: did you mean --device?"),
        (["--executor", "slurm"], "hint: the executor for Slurm comes with `edgeflow-ml[slurm]`"),
    ],
)
def test_wrong_arguments_are_told_without_the_usage(
    arguments: list[str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(argparse.ArgumentParser, "error", refuse_arguments)
    parser = argparse.ArgumentParser()
    parser.add_argument("--executor", choices=["local"])
    with pytest.raises(SystemExit) as caught:
        parser.parse_args(arguments)
    shown = capsys.readouterr().err
    assert caught.value.code == 2
    assert said in shown
    assert "usage" not in shown


def test_snakemake_and_its_jobs_end_with_whoever_started_it() -> None:
    code = """
import signal, subprocess
from snakemake.scheduling.job_scheduler import JobScheduler
from edgeflow.cli.start_snakemake import end_as_by_ctrl_c
end_as_by_ctrl_c()
signal.signal(signal.SIGTERM, JobScheduler.exit_gracefully)  # as Snakemake does
job = subprocess.Popen(["sleep", "100"], stdout=subprocess.DEVNULL)
try:
    print(flush=True)  # the signal may come at once
    job.wait()
except KeyboardInterrupt:
    print("interrupted", -job.wait(), flush=True)
"""
    start = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"
    run = subprocess.Popen(
        [sys.executable, "-c", start, code],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert run.stdout is not None
    run.stdout.readline()
    run.kill()
    assert run.communicate()[0] == f"interrupted {signal.SIGTERM.value}\n"
