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
from tests.signals import RATE, write_phases, write_signals, write_tones
from tests.workflow.conftest import CONFIG, ROOT, Project, make_project

FEATURES = {"kind": "mfcc", "rate": RATE, "mels": 16, "coefficients": 8, "upper_hz": 2000}
SOUND = {"source": "wav_folder", "path": "tones", "seconds": 0.5, "calibration": 9, "test": 0.3}
TRAIN = {"epochs": 30, "learning_rate": 0.01}
AUTOENCODER = {"name": "signals:autoencoder"}
MEASURE = {"runs": 10}


def configuration() -> dict[str, Any]:
    raw = copy.deepcopy(CONFIG)
    signals = {"source": "signal", "path": "signals.npz", "task": "anomaly", "calibration": 50}
    phases = {"source": "npz", "path": "phases.npz", "task": "regression", "calibration": 50}
    raw["datasets"] = {
        "signals": signals,
        "tones": {**SOUND, "features": FEATURES},
        "phases": {**phases, "labels": ["cosine", "sine"]},
    }
    classifier = {"name": "ds_cnn", "width": 8, "blocks": 1}
    raw["models"] = {
        "watch": {"dataset": "signals", "architecture": AUTOENCODER, "train": TRAIN},
        "hear": {"dataset": "tones", "architecture": classifier, "train": TRAIN},
        "turn": {
            "dataset": "phases",
            "architecture": {"name": "mlp", "units": [16]},
            "train": TRAIN,
        },
    }
    raw["recipes"]["choice"] = {"auto": {"recipes": ["int8", "fp32"], "rmse_rise_max": 0.05}}
    raw["targets"] = {"pi": {"kind": "litert"}, "intel": {"kind": "openvino"}}
    raw["devices"] = {name: {"target": "pi", "transport": "virtual"} for name in ("pi-1", "pi-2")}
    raw["devices"]["pc"] = {"target": "intel", "transport": "virtual"}
    raw["deployments"] = [
        {"model": "watch", "recipe": "int8", "devices": ["pi-1"], "measure": MEASURE,
         "gates": {"auc_min": 0.8}},
        {"model": "watch", "recipe": "fp32", "devices": ["pi-2"], "measure": MEASURE},
        {"model": "hear", "recipe": "int8", "devices": ["pi-1"], "measure": MEASURE},
        {"model": "turn", "recipe": "int8", "devices": ["pc"], "measure": MEASURE,
         "gates": {"rmse_max": 0.2, "rmse_rise_max": 0.05}},
        {"model": "turn", "recipe": "choice", "devices": ["pi-1"], "measure": MEASURE,
         "gates": {"rmse_max": 0.2, "rmse_rise_max": 0.05, "parity_min": 1.0}},
    ]  # fmt: skip
    return raw


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A built project with signals and sounds."""
    made = make_project(tmp_path_factory.mktemp("tasks") / "project", configuration())
    write_signals(made.folder / "signals.npz")
    write_tones(made.folder / "tones")
    write_phases(made.folder / "phases.npz")
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
        metric = record["metric"]
        assert metric.pop("name") == "auc"
        assert min(metric.values()) > 0.8
        assert (record["parity"]["share"], record["samples"]) == (1.0, 88)
        assert record["confusion"]["baseline"][0] == [45, 3]
    assert json.loads((project.folder / "results/devices/pi-1/watch/gates.json").read_text())


def test_metrics_say_what_the_figure_is(project: Project) -> None:
    with (project.folder / "results/report/metrics.csv").open() as file:
        rows = {(row["model"], row["recipe"]): row for row in csv.DictReader(file)}
    assert {key: row["metric"] for key, row in rows.items()} == {
        ("watch", "int8"): "auc", ("watch", "fp32"): "auc", ("hear", "int8"): "accuracy",
        ("turn", "int8"): "rmse", ("turn", "choice"): "rmse",
    }  # fmt: skip
    assert float(rows["watch", "int8"]["metric_device"]) > 0.8
    page = (project.folder / "results/report/index.html").read_text()
    assert "AUC, %" in page
    assert "RMSE" in page


@pytest.mark.parametrize("device", ["pi-1", "pc"])
def test_values_are_told_by_both_engines(project: Project, device: str) -> None:
    record = validation(project, device, "turn")
    assert record["labels"] == ["cosine", "sine"]
    assert record["confusion"] is None
    metric = record["metric"]
    assert metric.pop("name") == "rmse"
    assert 0 < min(metric.values()) < max(metric.values()) < 0.2  # of values of -1..1
    gates = project.folder / f"results/devices/{device}/turn/gates.json"
    judged = {gate["name"]: gate["value"] for gate in json.loads(gates.read_text())["gates"]}
    assert judged["rmse_max"] == metric["device"]
    assert judged["rmse_rise_max"] == pytest.approx(metric["device"] - metric["baseline"], abs=1e-8)


def test_a_choice_is_made_by_the_metric_of_the_task(project: Project) -> None:
    manifest = json.loads((project.folder / "results/models/turn/choice/manifest.json").read_text())
    assert (manifest["facts"]["chosen"], manifest["facts"]["metric"]) == ("int8", "rmse")
    [tried] = manifest["facts"]["tried"]
    assert 0 < abs(tried["worse_by"]) < tried["worse_by_max"] == 0.05


def test_tones_are_told_apart(project: Project) -> None:
    record = validation(project, "pi-1", "hear")
    assert record["labels"] == ["high", "low", "middle"]
    assert record["metric"]["device"] > 0.8


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
