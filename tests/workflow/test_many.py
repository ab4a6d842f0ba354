"""A hundred models from a few lines."""

import copy
from pathlib import Path

from tests.workflow.conftest import CONFIG, make_project


def test_a_hundred_models_are_planned(tmp_path: Path) -> None:
    config = copy.deepcopy(CONFIG)
    vary = {"architecture.width": [*range(8, 33)], "train.seed": [1, 2, 3, 4]}
    config["models"]["tiny"]["vary"] = vary
    names = [f"{kind}-{index}" for kind in ("pi", "intel") for index in range(4)]
    config["devices"] = {
        name: {"target": name.partition("-")[0], "transport": "virtual"} for name in names
    }
    config["deployments"] = [
        {"model": "tiny", "recipe": "fp32", "devices": names[0::2]},
        {"model": "tiny", "recipe": "int8", "devices": names[1::2]},
    ]
    project = make_project(tmp_path, config)
    jobs = project.would_run()
    on_devices = dict.fromkeys(("deploy", "validate", "gate"), 800)
    for_targets = dict.fromkeys(("compile", "bundle"), 400)
    assert jobs == {
        "dataset": 1,
        "train": 100,
        "compress": 200,
        "debug": 100,
        **for_targets,
        **on_devices,
        "report": 1,
    }


def test_a_new_value_makes_only_its_own_models(tmp_path: Path) -> None:
    config = copy.deepcopy(CONFIG)
    config["models"]["tiny"]["vary"] = {"train.epochs": [1]}
    config["deployments"] = [{**config["deployments"][0], "model": "tiny"}]
    project = make_project(tmp_path, config)
    try:
        project.build()
        config["models"]["tiny"]["vary"] = {"train.epochs": [1, 2]}
        project.write_config(config)
        building = ("train", "compress", "debug", "compile", "bundle")
        steps = (*building, "deploy", "validate", "gate", "report")
        assert project.would_run() == dict.fromkeys(steps, 1)
    finally:
        project.stop_devices()
