"""Keras 2 files are trained on as our own models are; Keras 3 files become graphs."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeflow.compress.build import compress_model
from edgeflow.dataset.view import DatasetView
from edgeflow.errors import CompileError
from tests.unit.imported.conftest import Import

KERAS_3 = """\
import keras
inputs = keras.Input((8, 8))
x = keras.layers.Reshape((8, 8, 1))(inputs)
x = keras.layers.Flatten()(keras.layers.Conv2D(4, 3, activation="relu")(x))
x = keras.layers.Dense(10, name="logits")(x)
model = keras.Model(inputs, [x, keras.layers.Softmax(name="odds")(x)])
model.save("model.keras")
model.save("model.h5")
import numpy as np
np.save("y.npy", model.predict(np.load("x.npy")[..., 0], verbose=0)[0])
"""


@pytest.fixture(scope="module")
def of_keras_3(view: DatasetView, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model of two outputs in both formats of Keras 3, and its logits, y.npy."""
    folder = tmp_path_factory.mktemp("keras3")
    np.save(folder / "x.npy", view.inputs("test"))
    environment = {key: text for key, text in os.environ.items() if key != "TF_USE_LEGACY_KERAS"}
    command = [sys.executable, "-c", KERAS_3]
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    return folder


def save(model: Any, path: Path) -> Path:
    import warnings

    with warnings.catch_warnings(action="ignore"):
        model.save(path)
    return path


@pytest.mark.parametrize("name", ["model.h5", "model.keras"])
def test_a_file_of_keras_2(
    bring: Import,
    network: Any,
    view: DatasetView,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
) -> None:
    source = save(network, tmp_path / name)
    manifest = bring(source, "keras")
    assert set(manifest.files) == {"model.h5", "history.csv", "outputs.npy"}
    assert (tmp_path / "baseline/history.csv").read_text().count("\n") == 1
    logits = np.load(tmp_path / "baseline/outputs.npy")
    np.testing.assert_allclose(network(view.inputs("test")), logits, atol=1e-5)
    hits = logits.argmax(axis=1) == view.truth("test")
    assert manifest.facts["metric_test"] == pytest.approx(hits.mean())
    assert np.trace(manifest.facts["confusion_test"]) == hits.sum()
    told = f"mine: before any recipe it is right for {hits.sum()} of 40 samples"  # it is untrained
    assert told in capsys.readouterr().err
    assert manifest.facts["parameters"] == network.count_params()
    assert bring(source, "keras", tmp_path / "again") == manifest


def test_recipes_train_a_file_of_keras_2_on(
    bring: Import, network: Any, digits: Path, tmp_path: Path
) -> None:
    bring(save(network, tmp_path / "model.h5"), "keras")
    recipe = {"recipe": {"prune": {"epochs": 1, "sparsity": 0.5}}, "train": {"threads": 1}}
    out = tmp_path / "pruned"
    facts = compress_model("p", digits, tmp_path / "baseline", recipe, "0", out).facts
    assert facts["parameters"] == network.count_params()
    assert np.any(np.load(out / "outputs.npy") != np.load(tmp_path / "baseline/outputs.npy"))


@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
def test_a_file_of_keras_3_gives_the_same_outputs(
    bring: Import, of_keras_3: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(of_keras_3 / name, tmp_path)
    monkeypatch.chdir(tmp_path)  # Snakemake's paths are relative
    manifest = bring(Path(name), "keras", Path("baseline"), output="logits")
    assert "graph.pb" in manifest.files
    assert manifest.facts["parameters"] == 4 * 10 + 144 * 10 + 10
    logits = np.load(tmp_path / "baseline/outputs.npy")
    np.testing.assert_allclose(logits, np.load(of_keras_3 / "y.npy"), atol=1e-5)


def test_a_file_of_keras_3_with_outputs_to_choose_from(bring: Import, of_keras_3: Path) -> None:
    with pytest.raises(CompileError, match="it has 2 outputs: 'logits', 'odds'"):
        bring(of_keras_3 / "model.keras", "keras")


@pytest.mark.parametrize("name", ["model.h5", "model.keras"])
def test_code_in_a_file_is_not_run(bring: Import, keras: Any, tmp_path: Path, name: str) -> None:
    layers = [keras.Input((8, 8, 1)), keras.layers.Lambda(lambda x: x * 2), keras.layers.Flatten()]
    source = save(keras.Sequential([*layers, keras.layers.Dense(10)]), tmp_path / name)
    with pytest.raises(CompileError, match="Lambda") as caught:
        bring(source, "keras")
    assert caught.value.exit_code == 7
    assert not (tmp_path / "baseline").exists()


def test_what_is_no_whole_model(bring: Import, network: Any, tmp_path: Path) -> None:
    network.save_weights(tmp_path / "weights.h5")
    (tmp_path / "text.keras").write_text("hello")
    for name, message in (
        ("weights.h5", "cannot be loaded"),
        ("text.keras", "is no file of Keras, or is cut off"),
    ):
        with pytest.raises(CompileError, match=f"{name} {message}"):
            bring(tmp_path / name, "keras")


@pytest.mark.parametrize(
    ("shape", "classes", "message", "hint"),
    [
        ((1, 8, 8), 10, r"samples of shape \(1, 8, 8\), its dataset has \(8, 8, 1\)", "first"),
        ((8, 9, 1), 10, r"\(8, 9, 1\)", "another dataset"),
        ((8, 8, 1), 9, r"outputs of shape \(9,\), its dataset has 10 classes", "each class"),
    ],
)
def test_a_model_that_does_not_fit_its_dataset(
    bring: Import, keras: Any, tmp_path: Path, shape: Any, classes: int, message: str, hint: str
) -> None:
    flat = [keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(classes)]
    source = save(keras.Sequential(flat), tmp_path / "model.h5")
    with pytest.raises(CompileError, match=message) as caught:
        bring(source, "keras")
    assert hint in caught.value.hint


def branches(keras: Any) -> Any:
    """Return a network of two inputs and outputs, of any size; `plain` needs one input."""
    layers = keras.layers
    image, state = keras.Input((None, None, 1), name="image"), keras.Input((10,), name="state")
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(10, 3, name="conv")(image))
    plain = layers.Softmax(name="plain")(x)
    return keras.Model([image, state], [plain, layers.Add(name="mixed")([x, state])])


@pytest.mark.parametrize("output", ["plain", "global_average_pooling2d"])
def test_one_output_of_several_at_the_datasets_size(
    bring: Import, keras: Any, view: DatasetView, tmp_path: Path, output: str
) -> None:
    keras.backend.clear_session()  # names count on
    model = branches(keras)
    source = save(model, tmp_path / "model.keras")
    bring(source, "keras", input="image", output=output)
    x = view.inputs("test")
    wanted = keras.Model(model.inputs, model.get_layer(output).output)
    given = np.load(tmp_path / "baseline/outputs.npy")
    np.testing.assert_allclose(wanted([x, np.zeros((len(x), 10))]), given, atol=1e-5)
    made = keras.models.load_model(tmp_path / "baseline/model.h5", compile=False)
    assert made.input_shape == (None, 8, 8, 1)
    for choice, message in (
        ({"output": "plain"}, "it has 2 inputs: 'image', 'state'"),
        ({"input": "image"}, "'plain' or 'mixed' cannot be had from input 'image' alone"),
        ({"input": "image", "output": "mixed"}, "cannot be had from input 'image' alone"),
    ):
        with pytest.raises(CompileError, match=message):
            bring(source, "keras", **choice)


def test_an_output_of_more_dimensions(bring: Import, keras: Any, tmp_path: Path) -> None:
    layers = [keras.Input((8, 8, 1)), keras.layers.Conv2D(10, 8)]
    bring(save(keras.Sequential(layers), tmp_path / "model.h5"), "keras")
    assert np.load(tmp_path / "baseline/outputs.npy").shape[1:] == (10,)


def test_an_input_of_fewer_dimensions_is_told_how_to_get_more(
    bring: Import, keras: Any, tmp_path: Path
) -> None:
    layers = [keras.Input((8, 8)), keras.layers.Flatten(), keras.layers.Dense(10)]
    source = save(keras.Sequential(layers), tmp_path / "model.h5")
    with pytest.raises(CompileError, match=r"\(8, 8\), its dataset has \(8, 8, 1\)") as caught:
        bring(source, "keras")
    assert "Reshape((8, 8)) behind an input of shape (8, 8, 1)" in caught.value.hint
