"""The examples do what their pages say, and the pages point at what is there."""

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from edgeflow.cli.display import selection
from edgeflow.config.load import load_file
from edgeflow.plan import Plan
from tests.workflow.conftest import ROOT, Project
from tools.draw_dag import OUT, draw

EXAMPLES = ROOT / "examples"
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*/*.md")])


@pytest.fixture
def module(tmp_path: Path) -> Iterator[Project]:
    """A folder to run examples/as-module in; its devices end with the test."""
    project = Project(tmp_path)
    write_settings(project, settings())
    yield project
    project.stop_devices()


def settings() -> dict[str, Any]:
    value: dict[str, Any] = yaml.safe_load((EXAMPLES / "as-module/settings.yaml").read_text())
    return value


def write_settings(project: Project, value: dict[str, Any]) -> None:
    (project.folder / "settings.yaml").write_text(yaml.safe_dump(value))


def build(project: Project, *arguments: str) -> str:
    return project.build("--snakefile", str(EXAMPLES / "as-module/Snakefile"), *arguments)


def test_a_module_has_its_prefix_and_its_own_folders(module: Project) -> None:
    text = build(module, "--dry-run")
    jobs = set(re.findall(r"^edgeflow_([a-z]+) +\d+$", text, re.MULTILINE))
    steps = {"dataset", "train", "compress", "compile", "bundle", "deploy", "validate", "gate"}
    assert jobs == {*steps, "debug", "report"}
    assert re.search(r"^choose +1$", text, re.MULTILINE)
    assert "build/edgeflow/report/metrics.csv" in text
    assert not re.search(r"(?<![\w/])(results|logs)/", text)


def test_a_part_or_a_rollout_of_a_module_is_found_under_its_prefix(module: Project) -> None:
    value = settings()
    fleet = {"target": "pi-cpu", "transport": "virtual", "inventory": "line.csv"}
    rollout = {"fleet": "line", "model": "digits-cnn", "recipe": "int8"}
    value["edgeflow"] |= {"fleets": {"line": fleet}, "rollouts": {"spring": rollout}}
    write_settings(module, value)
    # As `edgeflow rollout spring` calls Snakemake.
    ((name, chosen),) = selection.environment({"rollout": ["spring"]}).items()
    done = module.command(
        "env", f"{name}={chosen}", "edgeflow", "run", "--dry-run", "--",
        "selection", "--forcerun", "waves", "--snakefile", str(EXAMPLES / "as-module/Snakefile"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "\nwaves spring: forced execution\n" in done.stderr
    assert "\ngate pi-2/digits-cnn: " in done.stderr
    assert "pi-1" not in done.stderr
    assert "choose" not in done.stderr


def test_a_module_builds_with_the_readmes_own_architecture(module: Project) -> None:
    value = settings()
    own = value["edgeflow"]
    own["models"]["digits-cnn"]["architecture"] = {"name": "nets:build", "width": 8}
    own["models"]["digits-cnn"]["train"] = {"epochs": 1}
    own["deployments"] = [
        {"model": "digits-cnn", "recipe": "int8", "devices": ["pi-1"], "measure": {"runs": 10}}
    ]
    write_settings(module, {**value, "accuracy_min": 0.0})
    source = re.search(r"```python\n(# nets\.py.*?)```", (ROOT / "README.md").read_text(), re.S)
    assert source is not None
    (module.folder / "nets.py").write_text(source[1])

    build(module)

    with (module.folder / "build/edgeflow/report/metrics.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert float(row["latency_p50_ms"]) > 0
    assert json.loads((module.folder / "build/choice.json").read_text()) == row
    log = (module.folder / "build/logs/events.jsonl").read_text().splitlines()
    steps = [json.loads(line)["step"] for line in log]
    assert steps[:2] == ["dataset", "train"]
    made = {path.name for path in module.folder.iterdir() if not path.name.startswith((".", "_"))}
    assert made == {"build", "nets.py", "settings.yaml"}


def test_the_module_refuses_a_wrong_configuration(module: Project) -> None:
    value = settings()
    value["edgeflow"]["devices"]["pi-1"]["target"] = "pj-cpu"
    write_settings(module, value)
    snakefile = str(EXAMPLES / "as-module/Snakefile")
    result = module.snakemake("--snakefile", snakefile, "--dry-run")
    assert result.returncode != 0
    assert "devices.pi-1.target: no target 'pj-cpu'" in result.stdout + result.stderr


@pytest.mark.parametrize(
    ("example", "wanted"),
    [
        ("fashion-mnist", {"train": 1, "compress": 2, "compile": 4, "deploy": 4}),
        ("cifar10", {"train": 2, "compress": 4, "finetune": 2, "compile": 12, "deploy": 12}),
        ("compression", {"train": 4, "compress": 12, "finetune": 10, "compile": 31, "deploy": 31}),
    ],
)
def test_an_example_is_planned_as_its_page_says(
    tmp_path: Path, example: str, wanted: dict[str, int]
) -> None:
    project = Project(tmp_path)
    config = (EXAMPLES / example / "config.yaml").read_text()
    (project.folder / "config.yaml").write_text(config)
    text = project.build("--snakefile", str(ROOT / "Snakefile"), "--dry-run")
    jobs = dict(re.findall(r"^([a-z]+) +(\d+)$", text, re.MULTILINE))
    assert {rule: int(jobs[rule]) for rule in wanted} == wanted
    assert str(ROOT / "profiles/default") in text


def test_the_picture_shows_the_default_configuration() -> None:
    drawn = draw(Plan(load_file(ROOT / "config.yaml")))
    assert OUT.read_text() == drawn, "run `python -m tools.draw_dag`"


def slug(head: str) -> str:
    """Return the anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text())
    for link in links:
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        heads = re.findall(r"^#+ (.+)$", target.read_text(), re.MULTILINE) if anchor else []
        assert not anchor or anchor in [slug(head) for head in heads], link
