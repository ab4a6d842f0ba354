"""A hundred models from a few lines."""

import copy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.sizes import many_devices
from edgeflow.artifact.code import KEPT
from tests.growth import growth
from tests.workflow.conftest import CONFIG, make_project

COUNT = """
import cProfile
from snakemake.cli import main
profile = cProfile.Profile()
profile.enable()
try:
    main(["--dry-run", "--quiet", "rules", "--cores", "2"])
finally:
    profile.disable()
    files = [(getattr(of.code, "co_filename", ""), of.callcount) for of in profile.getstats()]
    print("calls", sum(n for file, n in files if file.endswith(".smk") or "/edgeflow/" in file))
"""
"""Plans a project and says how many calls of edgeflow's that took; Snakemake's own are its own."""


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


def test_a_new_value_makes_only_its_own_models(tmp_path: Path, shared_store: Path) -> None:
    config = copy.deepcopy(CONFIG)
    config["models"]["tiny"]["vary"] = {"train.epochs": [1]}
    config["deployments"] = [{**config["deployments"][0], "model": "tiny"}]
    project = make_project(tmp_path, config, store=shared_store)
    try:
        project.build()
        config["models"]["tiny"]["vary"] = {"train.epochs": [1, 2]}
        project.write_config(config)
        building = ("train", "compress", "debug", "compile", "bundle")
        steps = (*building, "deploy", "validate", "gate", "report")
        assert project.would_run() == dict.fromkeys(steps, 1)
    finally:
        project.stop_devices()


def _devices_and_models(count: int) -> dict[str, Any]:
    """Return a project with devices of two units each, and a family of models on one of them."""
    config = many_devices(count, units=2)
    config["models"]["m"] = {**config["models"]["m0"], "vary": {"train.seed": [*range(count)]}}
    config["deployments"] += [{"model": "m", "recipe": "fp32", "devices": ["bench-0"]}]
    return config


def test_planning_grows_with_devices_and_models_and_no_faster(tmp_path: Path) -> None:
    def work(size: int) -> Callable[[], int]:
        project = make_project(tmp_path / str(size), _devices_and_models(size))
        (project.folder / KEPT).unlink(missing_ok=True)  # each parses all that it plans with

        def plan() -> int:
            done = project.command(sys.executable, "-c", COUNT)
            assert "calls" in done.stdout, done.stderr
            assert (project.folder / "logs/report/slice.json").is_file()  # however many units
            return int(done.stdout.rpartition("calls")[2])

        return plan

    assert growth(work, count=lambda plan: plan(), sizes=(16, 24, 40)) < 2.3
