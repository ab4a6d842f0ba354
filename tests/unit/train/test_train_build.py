import csv
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeflow.artifact.manifest import verify_files
from edgeflow.config.model import Train
from edgeflow.dataset.view import open_dataset
from edgeflow.errors import TrainingError
from edgeflow.tasks.classification import Classification
from edgeflow.train.build import train_model
from edgeflow.train.loop import columns

TINY = {"name": "ds_cnn", "width": 4, "blocks": 1}


def slice_of(architecture: dict[str, Any] | None = None, **train: Any) -> dict[str, Any]:
    quick = {"epochs": 2, "learning_rate": 0.01, "threads": 1}
    return {"architecture": architecture or TINY, "train": {**quick, **train}}


def history(folder: Path) -> list[dict[str, float]]:
    with (folder / "history.csv").open() as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def once(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished training."""
    folder = tmp_path_factory.mktemp("once")
    train_model("once", digits, slice_of(schedule="cosine"), "0", folder)
    return folder


def test_what_a_training_leaves(once: Path, digits: Path, keras: Any) -> None:
    manifest = verify_files(once / "manifest.json")
    facts = manifest.facts
    assert set(manifest.files) == {"model.h5", "history.csv", "outputs.npy"}
    rows = history(once)
    assert tuple(rows[0]) == columns(Classification.metric)
    assert [row["epoch"] for row in rows] == [1.0, 2.0]
    assert facts["epochs"] == 2

    dataset = open_dataset(digits, ("test",))
    logits = np.load(once / "outputs.npy")
    model = keras.models.load_model(once / "model.h5", compile=False)
    np.testing.assert_allclose(model(dataset.inputs("test")), logits, atol=1e-5)
    hits = logits.argmax(axis=1) == dataset.truth("test")
    assert facts["metric_test"] == pytest.approx(hits.mean())
    assert facts["parameters"] == model.count_params()
    confusion = np.array(facts["confusion_test"])
    assert confusion.sum() == len(hits)
    assert confusion.trace() == hits.sum()


def test_the_cosine_schedule_falls_to_zero_over_all_epochs(once: Path, digits: Path) -> None:
    steps = math.ceil(sum(open_dataset(digits, ()).facts.counts["train"]) / 32)
    last_steps = np.array([steps - 1, 2 * steps - 1])
    wanted = 0.01 * 0.5 * (1 + np.cos(np.pi * last_steps / (2 * steps)))
    assert [row["learning_rate"] for row in history(once)] == pytest.approx(wanted, rel=1e-5)


def test_equal_trainings_give_equal_bytes(once: Path, digits: Path, tmp_path: Path) -> None:
    again = train_model("again", digits, slice_of(schedule="cosine"), "0", tmp_path)
    assert again == verify_files(once / "manifest.json")


def test_the_weights_of_the_best_epoch_are_kept(digits: Path, keras: Any, tmp_path: Path) -> None:
    # Steps this large make the validation loss jump, so its lowest is not the last one.
    wild = slice_of(epochs=12, learning_rate=0.3, patience=3, seed=1)
    facts = train_model("wild", digits, wild, "0", tmp_path).facts
    rows = history(tmp_path)
    best = min(rows, key=lambda row: row["val_loss"])
    assert facts["best_epoch"] == best["epoch"] < len(rows)
    assert len(rows) == min(12, best["epoch"] + 3)
    dataset = open_dataset(digits, ("validation",))
    model = keras.models.load_model(tmp_path / "model.h5", compile=False)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    measured = float(loss(dataset.truth("validation"), model(dataset.inputs("validation"))))
    assert measured == pytest.approx(best["val_loss"], rel=1e-4)


def test_a_training_that_diverges_leaves_nothing(digits: Path, tmp_path: Path) -> None:
    out = tmp_path / "float"
    with pytest.raises(TrainingError, match="diverged in epoch") as caught:
        train_model("tiny", digits, slice_of(learning_rate=1e30), "0", out)
    assert caught.value.exit_code == 10
    assert "learning_rate" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("architecture", "message"),
    [
        ({"name": "ds_cnn", "depth": 3}, "depth"),
        ({"name": "no_such_net"}, "no_such_net"),
        ({"name": "json:no_such_function"}, "no_such_function"),
        ({"name": "ds_cnn", "width": 0}, "width|filters"),
        ({"name": "own_wrong_nets:too_few"}, r"\(None, 3\), the dataset has 10 classes"),
    ],
    ids=lambda value: value["name"] if isinstance(value, dict) else "",
)
def test_an_architecture_that_cannot_be_used(
    digits: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    architecture: dict[str, Any],
    message: str,
) -> None:
    (tmp_path / "own_wrong_nets.py").write_text(
        "def too_few(keras, input_shape, classes):\n"
        "    inputs = keras.Input(input_shape)\n"
        "    flat = keras.layers.Flatten()(inputs)\n"
        "    return keras.Model(inputs, keras.layers.Dense(3)(flat))\n"
    )
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TrainingError, match=message):
        train_model("bad", digits, slice_of(architecture), "0", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_users_own_architecture(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_nets.py").write_text(
        "def linear(keras, input_shape, classes, *, bias=True):\n"
        "    inputs = keras.Input(input_shape)\n"
        "    flat = keras.layers.Flatten()(inputs)\n"
        "    return keras.Model(inputs, keras.layers.Dense(classes, use_bias=bias)(flat))\n"
    )
    monkeypatch.chdir(tmp_path)
    own = {"name": "own_nets:linear", "bias": False}
    facts = train_model("own", digits, slice_of(own), "0", tmp_path / "out").facts
    assert facts["parameters"] == 8 * 8 * 10


@pytest.mark.parametrize(("deterministic", "held"), [(True, ["kernels", "order"]), (False, [])])
def test_only_a_deterministic_training_holds_kernels_and_order(
    keras: Any,
    monkeypatch: pytest.MonkeyPatch,
    deterministic: bool,
    held: list[str],
) -> None:
    from edgeflow.train import keras as module

    done: list[str] = []
    order = "tensorflow.config.experimental.enable_op_determinism"
    monkeypatch.setattr(module, "hold_kernels", lambda: done.append("kernels"))
    monkeypatch.setattr(order, lambda: done.append("order"))
    module.keras_for(Train(deterministic=deterministic, threads=1))
    assert done == held


def test_keras_comes_without_what_is_never_asked_of_it() -> None:
    code = (
        "import sys; from edgeflow.train.keras import load_keras; load_keras(seed=0);"
        "found = {'pandas', 'scipy'} & sys.modules.keys(); import scipy; print(found)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
