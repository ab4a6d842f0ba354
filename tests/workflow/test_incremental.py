"""The table of docs/incremental.md: what each kind of change executes, no more and no less.

Each row changes one thing, runs snakemake for real, and reads from the steps' own event log what
executed. A step that was asked and found its answer kept has not executed. A row starts from what
the rows before it left, or from a clean build where it is run alone.
"""

import copy
import os
import re
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.workflow.conftest import CONFIG, Project, copy_part, make_project

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
            case "handover":
                return True
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
    project = make_project(tmp_path_factory.mktemp("table") / "project")
    copy_part(Path(__file__).parent / NETS, project.folder / NETS)
    built = Table(project)
    assert {name.split()[0] for name in built.run()} == {
        "dataset", "train", "compress", "debug", "compile", "bundle", "deploy", "validate", "gate",
        "report",
    }  # fmt: skip
    yield built
    built.project.stop_devices()


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
        if step in ("train", "compress") and unit.endswith("/int8"):
            found.add(f"debug {unit}")
    return found


def test_nothing(table: Table) -> None:
    assert "Nothing to be done" in table.project.build()
    assert table.run() == set()


def test_a_training_option(table: Table) -> None:
    table.config["models"]["tiny"]["train"]["epochs"] = 3
    assert table.run() == below("train", "tiny/int8", "tiny/fp32")


def test_a_retrain_that_gives_the_same_weights(table: Table) -> None:
    table.config["models"]["tiny"]["train"]["patience"] = 77
    assert table.run() == {"train tiny"}


def test_an_architectures_file(table: Table) -> None:
    table.project.edit(
        "edgeflow/train/architectures/ds_cnn.py", "dropout: float = 0.2", "dropout: float = 0.3"
    )
    assert table.run() == below("train", "tiny/int8", "tiny/fp32")


def test_a_users_own_module(table: Table) -> None:
    table.project.edit(NETS, '"relu"', '"elu"')
    assert table.run() == below("train", "own/fp32")


def test_a_recipes_option(table: Table) -> None:
    table.config["recipes"]["fp32"] = {"quantize": "fp16"}
    assert table.run() == below("compress", "tiny/fp32", "own/fp32")


def test_one_targets_option(table: Table) -> None:
    table.config["targets"]["pi"]["threads"] = 2
    assert table.run() == below("compile", "tiny/int8", "own/fp32")


def test_one_targets_code(table: Table) -> None:
    table.project.edit(
        "edgeflow/targets/openvino/__init__.py", "TOLERANCE = 2e-2", "TOLERANCE = 3e-2"
    )
    assert table.run() == below("compile", "tiny/fp32")


def test_one_targets_code_that_changes_no_byte(table: Table) -> None:
    table.project.edit("edgeflow/targets/openvino/__init__.py", "_is_ready", "_is_ready_now")
    assert table.run() == {"compile intel/tiny/fp32", "bundle intel/tiny/fp32"}


def test_the_runner_on_the_device(table: Table) -> None:
    table.project.edit("edgeflow/ondevice/runner.py", "NOW = 0b1111", "NOW = 0b111")
    assert table.run() == below("bundle", *UNITS)


def test_a_gate(table: Table) -> None:
    table.config["deployments"][0]["gates"] = {"latency_p90_ms_max": 1000}
    assert table.run() == {"gate pi-1/tiny", "report report"}


def test_a_device_with_another_address_or_host_key(table: Table) -> None:
    """It may be another board: it is measured again, but sent only what it has not."""
    table.config["devices"]["pi-2"]["timeout_s"] = 11.0
    assert table.run() == {"validate pi-2/own", "gate pi-2/own", "report report"}


def test_the_calibration_size(table: Table) -> None:
    table.config["datasets"]["digits"]["calibration"] = 20
    assert table.run() == {"dataset digits"} | below("compress", "tiny/int8")


@pytest.mark.parametrize("place", ["artifact/step.py", "train/build.py", "targets/litert.py"])
def test_a_comment_and_a_docstring(table: Table, place: str) -> None:
    path = table.project.folder / "edgeflow" / place
    title, rest = path.read_text().split('"""', 2)[1:]
    path.write_text(f'"""{title} Also this."""\n# A remark.\n{rest}\n# Another.\n')
    assert "Nothing to be done" in table.project.build()


def test_a_reformat(table: Table) -> None:
    for path in (table.project.folder / "edgeflow").rglob("*.py"):
        path.write_text(re.sub(r"\n\n\n", "\n\n\n\n", path.read_text()))
    assert "Nothing to be done" in table.project.build()


def test_touch_on_everything(table: Table) -> None:
    now = time.time()
    for path in table.project.folder.rglob("*"):
        if path.is_file() and not {".snakemake", ".edgeflow", "store"} & set(path.parts):
            os.utime(path, (now, now))
    assert "Nothing to be done" in table.project.build()


def test_another_sources_and_architectures_code(table: Table) -> None:
    table.project.edit("edgeflow/dataset/sources/npz.py", "def load", "unused = 1\n\n\ndef load")
    table.project.edit("edgeflow/train/architectures/convnet.py", "= 256", "= 99")
    assert "Nothing to be done" in table.project.build()


def test_a_checkout_back_and_forth(table: Table) -> None:
    """Going back builds nothing; devices go back to the release they still have."""
    before = copy.deepcopy(table.config)
    table.config["recipes"]["int8"] = {"quantize": "dynamic"}
    table.run()
    table.config = before
    assert table.run() == below("deploy", "tiny/int8")


def test_a_tool_upgraded(table: Table) -> None:
    """Another version may convert otherwise: what uses it runs, what is below sees no change."""
    metadata = table.project.folder / "ai_edge_litert-99.0.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: ai-edge-litert\nVersion: 99.0\n")
    assert table.run() == {
        "compress tiny/int8", "compress tiny/fp32", "compress own/fp32",
        "debug tiny/int8", "compile pi/tiny/int8", "compile pi/own/fp32",
    }  # fmt: skip


def test_a_device_added(table: Table) -> None:
    table.config["devices"]["pi-3"] = {"target": "pi", "transport": "virtual"}
    table.config["deployments"][0]["devices"].append("pi-3")
    assert table.run() == {
        "deploy pi-3/tiny", "validate pi-3/tiny", "gate pi-3/tiny", "report report",
    }  # fmt: skip


def test_an_export_added(table: Table) -> None:
    table.config["exports"] = {
        "fleet": {
            "kind": "mender", "target": "pi", "model": "tiny", "recipe": "int8",
            "path": "/srv/edgeflow", "device_type": ["pi"],
        }
    }  # fmt: skip
    assert table.run() == {"handover fleet"}
    artifact = table.project.folder / "results/exports/fleet.mender"
    with tarfile.open(artifact) as archive:
        assert archive.getnames() == ["version", "manifest", "header.tar", "data/0000.tar"]


def test_a_device_removed(table: Table) -> None:
    del table.config["deployments"][2]
    assert table.run() == {"report report"}
