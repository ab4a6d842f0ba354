"""`edgeflow clean`, names for the shell, and lists for programs."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import typer
from typer.testing import CliRunner

from edgeflow.cli.app import app
from edgeflow.cli.names import names_of
from edgeflow.cli.workflow import claim
from edgeflow.errors import ConfigError, EdgeflowError
from edgeflow.paths import workflow_folder


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture
def built(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with something of all that builds make, and more."""
    monkeypatch.chdir(project)
    monkeypatch.setenv("EDGEFLOW_STORE", str(project / "store"))
    for name in ("results/models/x", "logs/y", ".snakemake/z", "store/entry", "data/photo.jpg"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text("x")
    return project


def left(project: Path) -> set[str]:
    return {path.name for path in project.iterdir()}


def test_clean_removes_what_builds_made_and_nothing_else(built: Path) -> None:
    before = left(built)
    shown = run("clean", "--dry-run")
    assert shown.stdout.splitlines() == [
        f"would remove {name}" for name in ("results", "logs", ".snakemake")
    ]
    assert left(built) == before
    (built / "elsewhere").mkdir()
    (built / "elsewhere/kept").touch()
    (built / ".edgeflow").mkdir()
    (built / "logs/y").unlink()
    (built / "logs").rmdir()
    (built / "logs").symlink_to("elsewhere")
    assert json.loads(run("clean", "--json").stdout)["removed"] == [
        "results", "logs", ".snakemake", ".edgeflow",
    ]  # fmt: skip
    assert left(built) == {"config.yaml", "store", "data", "elsewhere"}
    assert (built / "elsewhere/kept").exists(), "a link was followed"
    assert run("clean").stdout == "nothing to remove\n"


def test_clean_refuses_where_it_might_do_harm(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (built / "config.yaml").write_text("store: {path: results/store}\n")  # no valid one
    inside = run("clean").exception
    assert isinstance(inside, EdgeflowError)
    assert "the store results/store lies in results" in str(inside)
    monkeypatch.setenv("EDGEFLOW_STORE", str(built / ".snakemake/store"))
    assert "lies in .snakemake" in str(run("clean", "-n").exception)
    (built / "config.yaml").unlink()
    assert isinstance(run("clean").exception, ConfigError)
    assert {"results", "logs", ".snakemake"} <= left(built)


def test_clean_refuses_while_a_build_runs(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert claim(built)  # of another open file, as another process has it
    assert "a build runs in this folder" in str(run("clean").exception)
    assert (built / "results/models/x").exists()


def test_names_are_completed_from_a_configuration_that_need_not_be_valid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    context = cast("typer.Context", SimpleNamespace(params={}))
    complete = names_of("devices")
    assert complete(context, "") == []
    Path("config.yaml").write_text("devices: {pi-2: {}, pi-1: {}, bench: }\nnonsense: 1\n")
    assert complete(context, "pi") == ["pi-1", "pi-2"]
    assert names_of("models")(context, "") == []
    for text in ("devices: [", "devices: " + "[" * 50_000):
        Path("config.yaml").write_text(text)
        assert complete(context, "") == []


def test_after_a_device_the_shell_completes_models_too(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_EDGEFLOW_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "edgeflow device remove pi-1 ")
    monkeypatch.setenv("COMP_CWORD", "4")
    offered = CliRunner().invoke(app, prog_name="edgeflow").stdout.split()
    assert offered == ["pc-1", "cnn"]


def test_the_shell_completes_devices(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_EDGEFLOW_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "edgeflow run --device p")
    monkeypatch.setenv("COMP_CWORD", "3")
    done = CliRunner().invoke(app, prog_name="edgeflow")
    assert done.stdout.split() == ["pc-1", "pi-1"]


def test_lists_are_json_for_programs(built: Path) -> None:
    checked = json.loads(run("check", "--fast", "--json").stdout)
    assert checked["problems"] == []
    assert [it["device"] for it in checked["deployments"]] == ["pi-1", "pc-1"]
    assert checked["jobs"]["compilations"] == 2
    assert checked["targets"].keys() == {"pi", "intel"}
    rows = json.loads(run("summary", "--json").stdout)
    assert [(row["device"], row["latency_p50_ms"]) for row in rows] == [
        ("pi-1", None),
        ("pc-1", None),
    ]
    kinds = {it["kind"]: it for it in json.loads(run("target", "list", "--json").stdout)}
    assert "ptq-int8" in kinds["litert"]["quantize"]
    assert kinds["litert"]["missing"] == []
    (built / "config.yaml").write_text("models: {}\nmodel: {}\n")
    wrong = run("check", "--json")
    assert wrong.exit_code == 2
    assert "model" in {it["path"] for it in json.loads(wrong.stdout)["problems"]}


def test_a_target_is_shown_by_its_name_or_its_kind(built: Path) -> None:
    own = json.loads(run("target", "show", "pi", "--json").stdout)
    assert (own["kind"], own["devices"]) == ("litert", ["pi-1"])
    assert own["options"]["threads"] == 1
    lines = run("target", "show", "openvino").stdout.splitlines()
    lock = workflow_folder() / "envs/openvino-device.txt"
    assert f"packages of a device, for pip: {lock}" in lines
    assert lines[0] == "openvino: ready"
    assert any(line.strip().startswith("device: CPU") for line in lines)
    unknown = run("target", "show", "x")
    assert unknown.exit_code == 2
    assert "litert" in unknown.stderr
    for *arguments, meant in (("target", "show", "litrt", "litert"), ("help", "gatt", "gate")):
        said = " ".join(run(*arguments).stderr.replace("│", "").split())
        assert f"did you mean '{meant}'?" in said
