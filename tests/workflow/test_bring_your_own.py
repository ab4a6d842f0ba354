"""Models from files, from the file to the device and the report."""

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.workflow.conftest import CONFIG, NewProject, change_quietly

MAKE = """\
import sys, warnings
import numpy as np
from edgeflow.dataset.view import open_dataset
from edgeflow.train.keras import load_keras

dataset, folder = sys.argv[1:]
keras = load_keras(seed=0)
import tensorflow as tf

from pathlib import Path

data = open_dataset(Path(dataset), ("train", "calibration"))
inputs = keras.Input((8, 8, 1))
x = keras.layers.Flatten()(keras.layers.Conv2D(8, 3, activation="relu")(inputs))
model = keras.Model(inputs, keras.layers.Dense(10)(x))
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile(optimizer=keras.optimizers.Adam(0.01), loss=loss)
model.fit(data.inputs("train"), data.truth("train"), epochs=3, verbose=0)
with warnings.catch_warnings(action="ignore"):
    model.save(folder + "/mine.h5")
converter = tf.lite.TFLiteConverter.from_keras_model(model)
converter.optimizations = [tf.lite.Optimize.DEFAULT]
converter.representative_dataset = lambda: ([x[None]] for x in data.inputs("calibration"))
converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
converter.inference_input_type = converter.inference_output_type = tf.int8
Path(folder, "mine.tflite").write_bytes(converter.convert())
"""


def make_models(folder: Path) -> None:
    dataset = folder / "results/datasets/digits"
    arguments = [str(dataset), str(folder)]
    subprocess.run([sys.executable, "-c", MAKE, *arguments], check=True, capture_output=True)


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


def test_models_from_files_reach_the_device(new_project: NewProject) -> None:
    project = new_project()
    project.build("results/datasets/digits/manifest.json")
    make_models(project.folder)
    project.write_config(config())
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
