"""An autoencoder from data to a bundle, step by step."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from edgeflow.artifact.manifest import read_manifest
from edgeflow.bundle.manifest import read_bundle
from edgeflow.bundle.pack import pack_bundle
from edgeflow.compress.build import compress_model
from edgeflow.dataset.build import build_dataset
from edgeflow.dataset.view import open_dataset
from edgeflow.errors import TrainingError
from edgeflow.report.training import load_training
from edgeflow.targets.build import compile_model
from edgeflow.tasks.anomaly import FALSE_ALARMS
from edgeflow.testing.subject import run_python
from edgeflow.train.build import train_model
from tests.signals import write_signals
from tests.unit.packed import target_options, unpack

TRAIN = {"epochs": 30, "learning_rate": 0.01, "threads": 1}


def slice_of(**architecture: Any) -> dict[str, Any]:
    return {"architecture": {"name": "tests.signals:autoencoder", **architecture}, "train": TRAIN}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The outputs of the steps dataset and train: ``models/net/baseline`` as in a project."""
    root = tmp_path_factory.mktemp("anomaly")
    write_signals(root / "signals.npz")
    section = {"source": "signal", "path": str(root / "signals.npz"), "task": "anomaly"}
    build_dataset("signals", {**section, "calibration": 50}, "0", root / "dataset")
    train_model("net", root / "dataset", slice_of(), "0", root / "models/net/baseline")
    return root


def scores(folder: Path, outputs: Any) -> tuple[Any, Any]:
    """Return the score and the class of each test sample."""
    view = open_dataset(folder / "dataset", ("test",))
    return np.square(outputs - view.inputs("test")).mean(axis=(1, 2, 3)), view.truth("test")


def test_training_reconstructs_and_reports_auc(folder: Path) -> None:
    facts = read_manifest(folder / "models/net/baseline/manifest.json").facts
    outputs = np.load(folder / "models/net/baseline/outputs.npy")
    assert outputs.shape == (88, 32, 1, 1)
    found, truth = scores(folder, outputs)
    assert facts["metric"] == "auc"
    assert 0.8 < facts["metric_test"] == pytest.approx(roc_auc_score(truth, found))
    assert facts["metric_validation"] is None
    (normal, false_alarms), (_, hits) = facts["confusion_test"]
    assert (normal, false_alarms) == (45, 3)  # 5 % of 48
    assert hits > 30


def test_its_history_has_losses_alone(folder: Path) -> None:
    with (folder / "models/net/baseline/history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["auc"] + row["val_auc"] for row in rows} == {""}
    assert float(rows[-1]["loss"]) < 0.1 * float(rows[0]["loss"])
    (training,) = load_training(folder, ["net"])
    assert set(training.curves) == {"loss", "val_loss", "learning_rate"}


def test_a_classifier_is_refused(folder: Path, tmp_path: Path) -> None:
    wrong = {**slice_of(), "architecture": {"name": "ds_cnn", "width": 4, "blocks": 1}}
    with pytest.raises(TrainingError, match=r"has inputs of shape \(32, 1, 1\)") as caught:
        train_model("net", folder / "dataset", wrong, "0", tmp_path / "out")
    assert "autoencoder" in caught.value.hint


@pytest.mark.parametrize(
    "recipe",
    [
        {"distill": {"teacher": "net", "epochs": 2}},
        {"prune": {"sparsity": 0.3, "epochs": 2}},
    ],
    ids=lambda recipe: next(iter(recipe)),
)
def test_stages_train_on_to_reconstruct(
    folder: Path, tmp_path: Path, recipe: dict[str, Any]
) -> None:
    model = folder / "models/net/baseline"
    teachers = [model] if "distill" in recipe else []
    step = {"recipe": recipe, "train": TRAIN}
    out = tmp_path / "net"
    facts = compress_model("net", folder / "dataset", model, step, "0", out, [*teachers]).facts
    found, truth = scores(folder, np.load(out / "outputs.npy"))
    assert 0.8 < facts["metric_test"] == pytest.approx(roc_auc_score(truth, found))
    assert found[truth == 0].mean() < 0.02


@pytest.mark.parametrize(("kind", "quantize"), [("litert", "ptq-int8"), ("openvino", "none")])
def test_outputs_of_any_shape_reach_the_device(
    folder: Path, tmp_path: Path, kind: str, quantize: str
) -> None:
    model, dataset = folder / "models/net/baseline", folder / "dataset"
    recipe, target = {"recipe": {"quantize": quantize}}, {"target": target_options(kind)}
    compress_model("net", dataset, model, recipe, "0", tmp_path / "recipe")
    out = tmp_path / "compiled"
    facts = compile_model("net", dataset, tmp_path / "recipe", target, "0", out).facts
    assert facts["io"]["outputs"][0]["shape"] == facts["io"]["inputs"][0]["shape"] == [1, 32, 1, 1]
    assert facts["metric_test"] > 0.8
    names = {"model": "net", "recipe": quantize}
    pack_bundle("net", dataset, out, {**names, **target}, "0", out)
    threshold = read_bundle(out / "bundle.tar").meaning.threshold
    assert threshold is not None
    release = unpack(out / "bundle.tar", tmp_path / "release")
    assert json.loads(run_python(str(release / "runner.py"), "golden"))["passed"]
    measured = tmp_path / "outputs"
    run_python(
        str(release / "runner.py"), "measure", "--warmup", "1", "--runs", "1",
        "--data", str(dataset / "test_x.npy"), "--out", str(measured),
    )  # fmt: skip
    reference = np.load(out / "reference/output.npy")
    assert reference.shape == (88, 32, 1, 1)
    found = np.load(tmp_path / "outputs.output.npy")
    np.testing.assert_allclose(found, reference, atol=0 if kind == "litert" else 1e-4)
    tensor = facts["io"]["outputs"][0]
    floats = (reference.astype(np.float32) - tensor["zero_point"]) * (tensor["scale"] or 1.0)
    view = open_dataset(dataset, ("test",))
    scores = np.square(floats - view.inputs("test")).reshape(88, -1).mean(axis=1)
    alarms = (scores > threshold)[view.truth("test") == 0]
    assert 0 < alarms.mean() <= FALSE_ALARMS + 1 / len(alarms)
