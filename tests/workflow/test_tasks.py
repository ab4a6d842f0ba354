"""Data that is no image, and networks that are no classifiers, from end to end."""

import copy
import csv
import importlib.util
import io
import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from scipy.io import wavfile

from edgeflow.bundle.archive import read_member
from edgeflow.bundle.manifest import read_bundle
from tests.signals import RATE, write_signals, write_tones
from tests.workflow.conftest import CONFIG, ROOT, Project, make_project

FEATURES = {"kind": "mfcc", "rate": RATE, "mels": 16, "coefficients": 8, "upper_hz": 2000}
SOUND = {"source": "wav_folder", "path": "tones", "seconds": 0.5, "calibration": 9, "test": 0.3}
TRAIN = {"epochs": 30, "learning_rate": 0.01}
AUTOENCODER = {"name": "signals:autoencoder"}
MEASURE = {"runs": 10}


def configuration() -> dict[str, Any]:
    raw = copy.deepcopy(CONFIG)
    signals = {"source": "signal", "path": "signals.npz", "task": "anomaly", "calibration": 50}
    raw["datasets"] = {"signals": signals, "tones": {**SOUND, "features": FEATURES}}
    classifier = {"name": "ds_cnn", "width": 8, "blocks": 1}
    raw["models"] = {
        "watch": {"dataset": "signals", "architecture": AUTOENCODER, "train": TRAIN},
        "hear": {"dataset": "tones", "architecture": classifier, "train": TRAIN},
    }
    raw["targets"] = {"pi": {"kind": "litert"}}
    raw["devices"] = {name: {"target": "pi", "transport": "virtual"} for name in ("pi-1", "pi-2")}
    raw["deployments"] = [
        {"model": "watch", "recipe": "int8", "devices": ["pi-1"], "measure": MEASURE,
         "gates": {"accuracy_min": 0.8}},
        {"model": "watch", "recipe": "fp32", "devices": ["pi-2"], "measure": MEASURE},
        {"model": "hear", "recipe": "int8", "devices": ["pi-1"], "measure": MEASURE},
    ]  # fmt: skip
    return raw


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A built project with signals and sounds."""
    made = make_project(tmp_path_factory.mktemp("tasks") / "project", configuration())
    write_signals(made.folder / "signals.npz")
    write_tones(made.folder / "tones")
    (made.folder / "signals.py").write_text((ROOT / "tests/signals.py").read_text())
    made.build()
    yield made
    made.stop_devices()


def validation(project: Project, device: str, model: str) -> dict[str, Any]:
    path = project.folder / f"results/devices/{device}/{model}/validation.json"
    record: dict[str, Any] = json.loads(path.read_text())
    schema = json.loads((ROOT / "edgeflow/validate/validation.schema.json").read_text())
    jsonschema.validate(record, schema)
    return record


def test_anomalies_are_told_from_what_is_normal(project: Project) -> None:
    for device in ("pi-1", "pi-2"):
        record = validation(project, device, "watch")
        assert record["metric"] == "auc"
        assert min(record["accuracy"].values()) > 0.8
        assert (record["parity"]["share"], record["samples"]) == (1.0, 88)
        assert record["confusion"]["baseline"][0] == [45, 3]
    assert json.loads((project.folder / "results/devices/pi-1/watch/gates.json").read_text())


def test_metrics_say_what_the_figure_is(project: Project) -> None:
    with (project.folder / "results/report/metrics.csv").open() as file:
        rows = {(row["model"], row["recipe"]): row for row in csv.DictReader(file)}
    assert {key: row["metric"] for key, row in rows.items()} == {
        ("watch", "int8"): "auc", ("watch", "fp32"): "auc", ("hear", "int8"): "accuracy",
    }  # fmt: skip
    assert float(rows["watch", "int8"]["accuracy_device"]) > 0.8
    assert "AUC" in (project.folder / "results/report/index.html").read_text()


def test_tones_are_told_apart(project: Project) -> None:
    record = validation(project, "pi-1", "hear")
    assert record["labels"] == ["high", "low", "middle"]
    assert record["accuracy"]["device"] > 0.8


def test_the_bundle_makes_the_same_features_of_the_recordings(
    project: Project, tmp_path: Path
) -> None:
    bundle = project.folder / "results/targets/pi/hear/int8/bundle.tar"
    parameters = read_bundle(bundle).front_end
    assert parameters is not None
    assert parameters["kind"] == "mfcc"
    (tmp_path / "front_end.py").write_bytes(read_member(bundle, "front_end.py"))
    spec = importlib.util.spec_from_file_location("shipped", tmp_path / "front_end.py")
    assert spec is not None
    assert spec.loader is not None
    shipped = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(shipped)

    recordings = (wavfile.read(path)[1] for path in project.folder.glob("tones/*/*.wav"))
    made = {shipped.features(sound, parameters).tobytes() for sound in recordings}
    golden = np.load(io.BytesIO(read_member(bundle, "golden_x/input.npy")))
    assert golden.shape[1:] == (24, 8, 1)
    assert len(golden) > 5
    assert all(sample.tobytes() in made for sample in golden)
    signals = project.folder / "results/targets/pi/watch/int8/bundle.tar"
    assert read_bundle(signals).front_end is None
    assert "front_end.py" not in read_bundle(signals).files
