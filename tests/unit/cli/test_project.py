import json
import os
import platform
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from edgeflow.cli.app import app
from edgeflow.ondevice.facts import instruction_sets
from edgeflow.targets.base import Missing
from edgeflow.targets.openvino import OpenVINO
from tests.unit.cli.conftest import Cli
from tests.unit.report.samples import unit, write_training, write_validation


@pytest.mark.parametrize("fast", [("--fast",), ()])
def test_check_says_what_would_be_built(cli: Cli, fast: tuple[str, ...]) -> None:
    done = cli("check", *fast)
    assert done.returncode == 0, done.stderr
    *built, machine = done.stdout.splitlines()
    assert built == [
        "1 datasets, 1 trainings, 1 compressions, 2 compilations, 2 deployments",
        "  cnn/int8 -> pi -> pi-1: accuracy_drop_max 0.01",
        "  cnn/int8 -> intel -> pc-1: accuracy_drop_max 0.01",
        "target pi: edgeflow's own environment",
        "target intel: edgeflow's own environment",
    ]
    assert machine == (
        f"build machine: {platform.machine()}, {', '.join(instruction_sets()) or 'unknown'}"
    )


def test_check_prints_all_that_is_wrong(cli: Cli, project: Path) -> None:
    config = project / "config.yaml"
    text = config.read_text().replace("width: 8", "widht: 8").replace("litert", "litret")
    config.write_text(text.replace("recipe: int8", "recipe: int7"))
    done = cli("check", "--fast")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "error: 3 problems in config.yaml" in done.stderr
    for wrong, meant in (("widht", "width"), ("litret", "litert"), ("int7", "int8")):
        assert wrong in done.stderr
        assert meant in done.stderr
    assert "Traceback" not in done.stderr


def test_check_warns_of_channels_that_int8_does_not_suit(project: Path) -> None:
    x = np.random.default_rng(0).normal(size=(60, 8, 8, 2)) * [60, 0.5]
    np.savez(project / "x.npz", x=x, y=np.arange(60) % 2)
    config, source = project / "config.yaml", f"source: npz, path: {project / 'x.npz'}"
    text = config.read_text()
    assert "source: digits" in text
    config.write_text(text.replace("source: digits", source))
    done = CliRunner().invoke(app, ["check", "--fast", "--config", str(config)])
    assert done.exit_code == 0, done.output
    assert "warning: dataset" in done.output
    assert "1 of 2 input channels" in done.output


def test_check_without_a_file(cli: Cli) -> None:
    done = cli("check", "--config", "none.yaml")
    assert done.returncode == 2
    assert "none.yaml" in done.stderr


def test_check_says_which_tool_is_missing(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = [Missing(what="frobc", install="apt install frobc")]
    monkeypatch.setattr(OpenVINO, "check", staticmethod(lambda options: missing))
    config = str(project / "config.yaml")
    done = CliRunner().invoke(app, ["check", "--fast", "--config", config])
    assert done.exit_code == 3
    assert "target intel needs frobc: apt install frobc" in done.output
    listed = CliRunner().invoke(app, ["target", "list"])
    assert "openvino: needs frobc: apt install frobc" in listed.output


def test_summary_is_a_table_of_the_deployments(cli: Cli, project: Path) -> None:
    config = project / "config.yaml"
    config.write_text(config.read_text().replace(" cnn", " net"))
    write_training(project / "results", "net")
    row = unit("int8", "pi", "pi-1", accuracy_drop_max=0.01)
    write_validation(project / "results", row, ["cat", "dog"])
    done = cli("summary")
    assert done.returncode == 0, done.stderr
    [measured] = [line for line in done.stdout.splitlines() if "pi-1" in line]
    assert "int8" in measured
    assert "0.995" in measured or "99.5" in measured
    assert any("pc-1" in line for line in done.stdout.splitlines())


@pytest.fixture
def snakemake(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package `snakemake` that does what the variable FAKE says."""
    package = project / "fake" / "snakemake"
    (package / "scheduling").mkdir(parents=True)
    for name in ("__init__", "cli", "scheduling/__init__"):
        (package / f"{name}.py").write_text("")
    # What `edgeflow run` changes of the real one.
    (package / "scheduling/job_scheduler.py").write_text("class JobScheduler: pass\n")
    (package / "api.py").write_text("class DAGApi:\n    def __post_init__(self): pass\n")
    (package / "__main__.py").write_text(
        "import os, sys\n"
        "open('arguments', 'w').write(' '.join(sys.argv[1:]))\n"
        "exec(os.environ['FAKE'])\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(package.parent), prepend=os.pathsep)
    return project


EVENTS = """
import pathlib
pathlib.Path('logs').mkdir(exist_ok=True)
with open('logs/events.jsonl', 'a') as file:
    file.write('{"exit_code": 0}\\n{"exit_code": 7}\\n{"exit_code": 6}\\n')
sys.exit(1)
"""


@pytest.mark.parametrize(
    ("program", "code"),
    [("pass", 0), ("sys.exit(1)", 1), (EVENTS, 7)],
    ids=["success", "no event", "events"],
)
def test_run_exits_with_the_code_of_the_first_failure(
    cli: Cli, snakemake: Path, monkeypatch: pytest.MonkeyPatch, program: str, code: int
) -> None:
    (snakemake / "logs").mkdir()
    (snakemake / "logs" / "events.jsonl").write_text('{"exit_code": 5}\n')  # of an earlier run
    monkeypatch.setenv("FAKE", program)
    assert cli("run").returncode == code


@pytest.mark.parametrize("arguments", [("--cores", "4", "all"), ("-c2", "x/y"), ("--", "-c2")])
def test_run_passes_its_arguments_on(
    cli: Cli, snakemake: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setenv("FAKE", "pass")
    assert cli("run", *arguments).returncode == 0
    passed = (snakemake / "arguments").read_text()
    assert passed.endswith(f"{' '.join(arguments).removeprefix('-- ')} --logger edgeflow")


def test_run_has_its_own_options_and_leaves_the_others(
    cli: Cli, snakemake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = "open('selection', 'w').write(os.environ['EDGEFLOW_SELECTION'])"
    monkeypatch.setenv("FAKE", program)
    options = ("--device", "pi-1", "-n", "--cores", "4", "--device", "pc-1", "--logger", "mine")
    assert cli("run", *options).returncode == 0
    assert (
        (snakemake / "arguments")
        .read_text()
        .endswith("selection --cores 4 --logger mine --dry-run")
    )
    assert json.loads((snakemake / "selection").read_text()) == {"device": ["pi-1", "pc-1"]}
