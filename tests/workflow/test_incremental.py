"""What each kind of change reruns: no more, and no less."""

import copy
import os
import time

import pytest

from tests.workflow.conftest import CONFIG, Project

pytestmark = pytest.mark.xdist_group("built-project")

AFTER_COMPILE = {"bundle": 1, "deploy": 1, "validate": 1, "gate": 1, "report": 1}


def test_a_second_run_has_nothing_to_do(pristine: Project) -> None:
    before = len(pristine.events())
    assert "Nothing to be done" in pristine.build()
    assert len(pristine.events()) == before


def test_an_edit_of_one_target_compiles_for_that_target_alone(pristine: Project) -> None:
    pristine.edit("edgeflow/targets/openvino.py", "subset_size=len(samples)", "subset_size=9")
    assert pristine.would_run() == {"compile": 1, **AFTER_COMPILE}


def test_an_option_of_one_target_compiles_for_that_target_alone(pristine: Project) -> None:
    config = copy.deepcopy(CONFIG)
    config["targets"]["pi"]["threads"] = 2
    pristine.write_config(config)
    assert pristine.would_run() == {"compile": 1, **AFTER_COMPILE}


@pytest.mark.parametrize(
    "name",
    [
        "edgeflow/targets/litert.py",
        "edgeflow/train/loop.py",
        "edgeflow/ondevice/runner.py",
        "edgeflow/artifact/step.py",
        "edgeflow/deploy/transport.py",
    ],
)
def test_comments_and_docstrings_rerun_nothing(pristine: Project, name: str) -> None:
    path = pristine.folder / name
    title, rest = path.read_text().split('"""', 2)[1:]
    path.write_text(f'"""{title} Also this."""\n# A remark.\n{rest}\n# Another.\n')
    assert pristine.would_run() == {}


def test_touching_everything_reruns_nothing(pristine: Project) -> None:
    now = time.time()
    for path in pristine.folder.rglob("*"):
        if path.is_file() and ".snakemake" not in path.parts and ".edgeflow" not in path.parts:
            os.utime(path, (now, now))
    assert pristine.would_run() == {}


def test_a_new_device_is_all_that_a_new_device_needs(pristine: Project) -> None:
    config = copy.deepcopy(CONFIG)
    config["devices"]["pi-2"] = {"target": "pi", "transport": "virtual"}
    config["deployments"][0]["devices"].append("pi-2")
    pristine.write_config(config)
    assert pristine.would_run() == {"deploy": 1, "validate": 1, "gate": 1, "report": 1}


def test_a_removed_device_changes_the_report_alone(pristine: Project) -> None:
    config = copy.deepcopy(CONFIG)
    del config["deployments"][1]
    pristine.write_config(config)
    assert pristine.would_run() == {"report": 1}


def test_a_gate_is_checked_without_measuring_again(pristine: Project) -> None:
    config = copy.deepcopy(CONFIG)
    config["deployments"][0]["gates"] = {"latency_p90_ms_max": 1000}
    pristine.write_config(config)
    assert pristine.would_run() == {"gate": 1, "report": 1}


def test_a_recipe_compresses_again_without_training(pristine: Project) -> None:
    config = copy.deepcopy(CONFIG)
    config["recipes"]["fp32"] = {"quantize": "fp16"}
    pristine.write_config(config)
    assert pristine.would_run() == {"compress": 1, "compile": 1, **AFTER_COMPILE}


def test_the_runner_on_the_device_is_bundled_again(pristine: Project) -> None:
    pristine.edit("edgeflow/ondevice/runner.py", "THROTTLED_NOW = 0b1111", "THROTTLED_NOW = 0b111")
    expected = {name: 2 * count for name, count in AFTER_COMPILE.items() if name != "report"}
    assert pristine.would_run() == {**expected, "report": 1}


def test_a_training_option_trains_again(pristine: Project) -> None:
    config = copy.deepcopy(CONFIG)
    config["models"]["tiny"]["train"]["epochs"] = 3
    pristine.write_config(config)
    jobs = pristine.would_run()
    assert "dataset" not in jobs
    assert jobs["train"] == 1
    assert jobs["compress"] == jobs["compile"] == jobs["deploy"] == 2


def test_another_dataset_source_trains_nothing(pristine: Project) -> None:
    pristine.edit("edgeflow/dataset/sources/npz.py", "def load", "x_unused = 1\n\n\ndef load")
    assert pristine.would_run() == {}


def test_an_architecture_not_used_trains_nothing(pristine: Project) -> None:
    pristine.edit("edgeflow/train/architectures/convnet.py", "dense: int = 256", "dense: int = 99")
    assert pristine.would_run() == {}


def test_an_edit_really_runs_what_was_planned(pristine: Project) -> None:
    """The plan of a dry run is not believed alone: this one executes, and reads the event log."""
    before = len(pristine.events())
    config = copy.deepcopy(CONFIG)
    config["deployments"][0]["measure"]["runs"] = 11
    pristine.write_config(config)
    pristine.build()
    ran = sorted(event["step"] for event in pristine.events()[before:])
    assert ran == ["gate", "report", "validate"]
    pristine.write_config(CONFIG)
    pristine.build()
