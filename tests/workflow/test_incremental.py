"""The table of docs/incremental.md: what each kind of change executes, no more and no less.

Each row changes one thing, runs snakemake for real, and reads from the steps' own event log what
executed. A step that was asked and found its answer kept has not executed.
"""

import copy
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.workflow.conftest import CONFIG, PARTS, Project, copy_part, make_project

pytestmark = pytest.mark.xdist_group("incremental")

NETS = "nets.py"


def table_config() -> dict[str, Any]:
    config = copy.deepcopy(CONFIG)
    config["datasets"]["digits"]["limit"] = 600
    config["models"]["own"] = {
        "dataset": "digits",
        "architecture": {"name": "nets:build"},
        "train": {"epochs": 1},
    }
    config["devices"]["pi-2"] = {"target": "pi", "transport": "virtual"}
    config["deployments"].append(
        {"model": "own", "recipe": "fp32", "devices": ["pi-2"], "measure": {"runs": 10}}
    )
    return config


def executed(events: list[dict[str, Any]], before: int) -> set[str]:
    """Return `step name` of all that really did its work after the first `before` events."""
    decided = {(old["name"], old["key"]) for old in events[:before] if old["step"] == "gate"}

    def worked(event: dict[str, Any]) -> bool:
        match event["step"]:
            case "deploy":
                return bool(event["changed"])
            case "validate":
                return bool(event["measured"])
            case "gate":
                return (event["name"], event["key"]) not in decided or bool(event["changed"])
            case _:
                return bool(event["store"] != "hit")

    return {f"{event['step']} {event['name']}" for event in events[before:] if worked(event)}


class Table:
    """A built project that a row changes; `run` returns what that executed."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.config = table_config()

    def run(self) -> set[str]:
        self.project.write_config(self.config)
        before = len(self.project.events())
        self.project.build()
        return executed(self.project.events(), before)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Table]:
    folder = tmp_path_factory.mktemp("table")
    for name in ("project", "pristine"):
        make_project(folder / name)
        copy_part(Path(__file__).parent / NETS, folder / name / NETS)
    built = Table(Project(folder / "project"))
    assert {name.split()[0] for name in built.run()} == {
        "dataset", "train", "compress", "compile", "bundle", "deploy", "validate", "gate", "report",
    }  # fmt: skip
    yield built
    built.project.stop_devices()


@pytest.fixture
def row(table: Table) -> Iterator[Table]:
    """Give the table; what the row changed is taken back, and built, after it."""
    yield table
    pristine = table.project.folder.parent / "pristine"
    for part in (*PARTS, NETS):
        copy_part(pristine / part, table.project.folder / part)
    table.config = table_config()
    table.run()


UNITS = {
    "tiny/int8": ("pi", "pi-1/tiny"),
    "tiny/fp32": ("intel", "intel-1/tiny"),
    "own/fp32": ("pi", "pi-2/own"),
}


def below(step: str, *units: str) -> set[str]:
    """Return what executes from `step` on for these of the three model/recipe pairs."""
    steps = ["train", "compress", "compile", "bundle", "deploy", "validate", "gate"]
    found = {"report report"}
    for unit in units:
        target, device = UNITS[unit]
        names = {
            "train": unit.split("/")[0],
            "compress": unit,
            "compile": f"{target}/{unit}",
            "bundle": f"{target}/{unit}",
        }
        found |= {f"{name} {names.get(name, device)}" for name in steps[steps.index(step) :]}
    return found


def test_nothing(row: Table) -> None:
    assert "Nothing to be done" in row.project.build()
    assert row.run() == set()


def test_a_training_option(row: Table) -> None:
    row.config["models"]["tiny"]["train"]["epochs"] = 3
    assert row.run() == below("train", "tiny/int8", "tiny/fp32")


def test_a_retrain_that_gives_the_same_weights(row: Table) -> None:
    row.config["models"]["tiny"]["train"]["patience"] = 77
    assert row.run() == {"train tiny"}


def test_an_architectures_file(row: Table) -> None:
    row.project.edit("edgeflow/train/architectures/ds_cnn.py", "momentum=0.9", "momentum=0.8")
    assert row.run() == below("train", "tiny/int8", "tiny/fp32")


def test_a_users_own_module(row: Table) -> None:
    row.project.edit(NETS, '"relu"', '"elu"')
    assert row.run() == below("train", "own/fp32")


def test_a_recipes_option(row: Table) -> None:
    row.config["recipes"]["fp32"] = {"quantize": "fp16"}
    assert row.run() == below("compress", "tiny/fp32", "own/fp32")


def test_one_targets_option(row: Table) -> None:
    row.config["targets"]["pi"]["threads"] = 2
    assert row.run() == below("compile", "tiny/int8", "own/fp32")


def test_one_targets_code(row: Table) -> None:
    row.project.edit("edgeflow/targets/openvino.py", "tolerance=2e-2", "tolerance=3e-2")
    assert row.run() == below("compile", "tiny/fp32")


def test_one_targets_code_that_changes_no_byte(row: Table) -> None:
    row.project.edit("edgeflow/targets/openvino.py", "_NO_WORK", "_NO_WORK_AT_ALL")
    assert row.run() == {"compile intel/tiny/fp32", "bundle intel/tiny/fp32"}


def test_the_runner_on_the_device(row: Table) -> None:
    row.project.edit("edgeflow/ondevice/runner.py", "NOW = 0b1111", "NOW = 0b111")
    assert row.run() == below("bundle", *UNITS)


def test_a_gate(row: Table) -> None:
    row.config["deployments"][0]["gates"] = {"latency_p90_ms_max": 1000}
    assert row.run() == {"gate pi-1/tiny", "report report"}


def test_a_device_added(row: Table) -> None:
    row.config["devices"]["pi-3"] = {"target": "pi", "transport": "virtual"}
    row.config["deployments"][0]["devices"].append("pi-3")
    assert row.run() == {
        "deploy pi-3/tiny", "validate pi-3/tiny", "gate pi-3/tiny", "report report",
    }  # fmt: skip


def test_a_device_removed(row: Table) -> None:
    del row.config["deployments"][2]
    assert row.run() == {"report report"}


def test_a_device_with_another_address_or_host_key(row: Table) -> None:
    """It may be another board: it is measured again, but sent only what it has not."""
    row.config["devices"]["pi-2"]["timeout_s"] = 11.0
    assert row.run() == {"validate pi-2/own", "gate pi-2/own", "report report"}


def test_the_calibration_size(row: Table) -> None:
    row.config["datasets"]["digits"]["calibration"] = 20
    assert row.run() == {"dataset digits"} | below("compress", "tiny/int8")


@pytest.mark.parametrize("place", ["artifact/step.py", "train/build.py", "targets/litert.py"])
def test_a_comment_and_a_docstring(row: Table, place: str) -> None:
    path = row.project.folder / "edgeflow" / place
    title, rest = path.read_text().split('"""', 2)[1:]
    path.write_text(f'"""{title} Also this."""\n# A remark.\n{rest}\n# Another.\n')
    assert "Nothing to be done" in row.project.build()


def test_a_reformat(row: Table) -> None:
    for path in (row.project.folder / "edgeflow").rglob("*.py"):
        path.write_text(re.sub(r"\n\n\n", "\n\n\n\n", path.read_text()))
    assert "Nothing to be done" in row.project.build()


def test_touch_on_everything(row: Table) -> None:
    now = time.time()
    for path in row.project.folder.rglob("*"):
        if path.is_file() and not {".snakemake", ".edgeflow", "store"} & set(path.parts):
            os.utime(path, (now, now))
    assert "Nothing to be done" in row.project.build()


def test_another_sources_and_architectures_code(row: Table) -> None:
    row.project.edit("edgeflow/dataset/sources/npz.py", "def load", "unused = 1\n\n\ndef load")
    row.project.edit("edgeflow/train/architectures/convnet.py", "= 256", "= 99")
    assert "Nothing to be done" in row.project.build()


def test_a_checkout_back_and_forth(row: Table) -> None:
    """Going back builds nothing; devices go back to the release they still have."""
    row.config["recipes"]["int8"] = {"quantize": "dynamic"}
    row.run()
    row.config = table_config()
    assert row.run() == below("deploy", "tiny/int8")


def test_a_tool_upgraded(row: Table) -> None:
    """Another version may convert otherwise: what uses it runs, what is below sees no change."""
    metadata = row.project.folder / "ai_edge_litert-99.0.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: ai-edge-litert\nVersion: 99.0\n")
    try:
        assert row.run() == {
            "compress tiny/int8", "compress tiny/fp32", "compress own/fp32",
            "compile pi/tiny/int8", "compile pi/own/fp32",
        }  # fmt: skip
    finally:
        metadata.unlink()
        metadata.parent.rmdir()
