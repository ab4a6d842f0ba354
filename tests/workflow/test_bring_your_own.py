"""Models from files, from the file to the device and the report."""

import copy
import json
import shutil
from typing import Any

from edgeflow.testing.trained import Trained
from tests.workflow.conftest import CONFIG, NewProject, change_quietly


def config() -> dict[str, Any]:
    raw = copy.deepcopy(CONFIG)
    raw["models"] = {
        "trained-elsewhere": {"dataset": "digits", "source": "mine.h5"},
        "quantized-elsewhere": {"dataset": "digits", "source": "mine.tflite"},
    }
    raw["recipes"] = {"int8": {"quantize": "ptq-int8"}, "as-it-is": {}}
    gates = {"accuracy_min": 0.8, "parity_min": 1.0, "accuracy_drop_max": 0.02}
    raw["deployments"] = [
        {"model": model, "recipe": recipe, "devices": ["pi-1"], "gates": gates}
        | {"measure": {"runs": 10}}
        for model, recipe in (("trained-elsewhere", "int8"), ("quantized-elsewhere", "as-it-is"))
    ]
    return raw


def test_models_from_files_reach_the_device(new_project: NewProject, trained: Trained) -> None:
    project = new_project(config=config())
    shutil.copy(trained.model / "model.h5", project.folder / "mine.h5")
    shutil.copy(trained.recipe("ptq-int8") / "model.tflite", project.folder / "mine.tflite")
    assert "0 trainings, 2 imports" in project.command("edgeflow", "check").stdout
    project.build()
    for unit in ("trained-elsewhere", "quantized-elsewhere"):
        place = project.folder / "results/devices/pi-1" / unit
        validation = json.loads((place / "validation.json").read_text())
        assert validation["parity"]["share"] == 1.0
        assert validation["parity"]["max_abs"] == 0.0
        assert json.loads((place / "gates.json").read_text())["passed"] is True
    passed = project.folder / "results/models/quantized-elsewhere/as-it-is/manifest.json"
    assert json.loads(passed.read_text())["facts"]["recipe"]["quantize"] == "ptq-int8"
    assert "Training</h2>" not in (project.folder / "results/report/index.html").read_text()

    assert project.would_run() == {}
    for name in ("mine.h5", "mine.tflite"):
        change_quietly(project.folder / name)
    jobs = project.would_run()
    assert jobs["import_model"] == jobs["import_flatbuffer"] == 1
    assert "dataset" not in jobs
