"""Networks of two inputs and two outputs, from arrays or a file to gates on both engines."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from edgeflow.bundle.manifest import read_bundle
from edgeflow.bundle.pack import pack_bundle
from edgeflow.compress.build import compress_model
from edgeflow.compress.debug.build import debug_recipe
from edgeflow.config.model import Architecture
from edgeflow.config.samples import PARTS
from edgeflow.dataset.build import build_dataset
from edgeflow.dataset.view import DatasetView, open_dataset
from edgeflow.errors import CompileError, DataError, TrainingError
from edgeflow.imported.build import import_model
from edgeflow.targets.build import compile_model
from edgeflow.testing.subject import run_python
from edgeflow.train.build import train_model
from edgeflow.train.network import build_network
from edgeflow.validate.gates import check_gates
from edgeflow.validate.run import Folders, validate
from tests.unit.imported.onnx_models import draw, save
from tests.unit.packed import target_options, unpack
from tests.unit.validate.conftest import FakeDevice, only_device

CLASSES = 3
NAMES = ["image", "state"]
TRAIN = {"epochs": 2, "learning_rate": 0.01, "threads": 1}


def arrays(count: int = 120) -> dict[str, Any]:
    """Return images and numbers, and classes that only both together tell."""
    random = np.random.default_rng(0)
    state = random.normal(size=(count, 4)).astype(np.float32)
    images = random.integers(0, 256, (count, 6, 6), np.uint8)
    truth = (images[:, 0, 0] > 127).astype(int) + (state[:, 0] > 0)
    return {"x.image": images, "x.state": state, "y": truth}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("several")
    np.savez(folder / "data.npz", **arrays())
    section = {"source": "npz", "path": str(folder / "data.npz"), "calibration": 20}
    build_dataset("both", section, "0", folder / "dataset")
    return folder / "dataset"


@pytest.fixture(scope="module")
def view(data: Path) -> DatasetView:
    return open_dataset(data, PARTS)


@pytest.fixture(scope="module")
def network(keras: Any) -> Any:
    """A network with the inputs in another order than the dataset's, and the scores last."""
    layers = keras.layers
    state, image = keras.Input((4,), name="state"), keras.Input((6, 6, 1), name="image")
    x = layers.Flatten()(layers.Conv2D(4, 3, activation="relu")(image))
    both = layers.Dense(16, activation="relu")(layers.Concatenate()([state, x]))
    place = layers.Dense(2, name="place")(both)
    return keras.Model([state, image], [place, layers.Dense(CLASSES, name="scores")(both)])


def save_h5(network: Any, path: Path) -> Path:
    network.save(path / "net.h5", save_format="h5")
    return path / "net.h5"


def save_tflite(network: Any, path: Path) -> Path:
    import tensorflow as tf

    (path / "net.tflite").write_bytes(tf.lite.TFLiteConverter.from_keras_model(network).convert())
    return path / "net.tflite"


def save_folder(network: Any, path: Path) -> Path:
    network.export(path / "net")
    return path / "net"


FILES: dict[str, Callable[[Any, Path], Path]] = {
    "keras": save_h5,
    "tflite": save_tflite,
    "saved_model": save_folder,
}


def outputs(network: Any, view: DatasetView) -> list[Any]:
    """Return what the network gives for the test set: scores, then place."""
    inputs = view.tensors("test").arrays
    place, scores = network.predict([inputs["state"], inputs["image"]], verbose=0)
    return [scores, place]


def test_arrays_of_several_inputs_stay_together(data: Path, view: DatasetView) -> None:
    assert list(view.facts.inputs) == NAMES
    assert view.facts.shapes == [(6, 6, 1), (4,)]
    given = arrays()
    for part in PARTS:
        inputs, truth = view.tensors(part).arrays, view.truth(part)
        assert inputs["image"].max() <= 1.0
        told = (inputs["image"][:, 0, 0, 0] > 0.5).astype(int) + (inputs["state"][:, 0] > 0)
        np.testing.assert_array_equal(told, truth)
    assert {row.tobytes() for row in view.tensors("test").arrays["state"]} <= {
        row.tobytes() for row in given["x.state"]
    }
    card = (data / "card.md").read_text()
    assert "- Input image: 6 x 6 x 1 (height x width x channels), uint8" in card
    assert "- Input state: 4, float32" in card


@pytest.mark.parametrize(
    ("changes", "section", "said"),
    [
        ({"x.state": np.zeros((7, 4))}, {}, "other numbers of samples: x.image 120, x.state 7"),
        ({"x": np.zeros((120, 4))}, {}, "inputs named 'input', 'image', 'state'"),
        ({"x.a b": np.zeros((120, 4))}, {}, "inputs named 'a b'"),
        ({"x_test.image": np.zeros((9, 6, 6)), "y_test": np.zeros(9, int)}, {}, "has the inputs"),
        ({"x.state": np.full((120, 4), np.nan)}, {}, "hold NaN or infinity"),
        ({"y": np.arange(120) % 2}, {"task": "anomaly"}, "have 2 inputs, and a detector"),
        ({}, {"input_shape": [36]}, "`input_shape` is of one input"),
        ({}, {"preprocess": {"mean": 1.0}}, "has numbers for one input"),
    ],
)
def test_arrays_that_are_no_inputs(
    tmp_path: Path, changes: dict[str, Any], section: dict[str, Any], said: str
) -> None:
    np.savez(tmp_path / "data.npz", **{**arrays(), **changes})
    options = {"source": "npz", "path": str(tmp_path / "data.npz"), "calibration": 20, **section}
    with pytest.raises(DataError, match=said):
        build_dataset("both", options, "0", tmp_path / "dataset")


def test_each_input_has_its_own_deviation(data: Path, tmp_path: Path) -> None:
    section = {"source": "npz", "path": str(data.parent / "data.npz"), "calibration": 20}
    options = {**section, "preprocess": {"standardize": True}}
    build_dataset("both", options, "0", tmp_path / "out")
    for array in open_dataset(tmp_path / "out", PARTS).tensors("train").arrays.values():
        values = array.reshape(-1, array.shape[-1])
        np.testing.assert_allclose(values.mean(axis=0), 0, atol=1e-4)
        np.testing.assert_allclose(values.std(axis=0), 1, atol=1e-4)


def imported(kind: str, network: Any, data: Path, folder: Path, **choice: Any) -> Any:
    source = FILES[kind](network, folder)
    slice_ = {"kind": kind, **choice}
    return import_model("net", data, source, slice_, "0", folder / "baseline")


@pytest.mark.parametrize("kind", FILES)
def test_a_file_keeps_its_outputs_and_gets_inputs_by_name(
    kind: str, network: Any, data: Path, view: DatasetView, tmp_path: Path
) -> None:
    manifest = imported(kind, network, data, tmp_path)
    scores, _ = outputs(network, view)
    np.testing.assert_allclose(np.load(tmp_path / "baseline/outputs.npy"), scores, atol=1e-4)
    names = {
        "keras": ["scores", "place"],
        "saved_model": ["output_1", "output_0"],
        "tflite": ["StatefulPartitionedCall_1", "StatefulPartitionedCall"],
    }
    assert manifest.facts["outputs"] == names[kind]


def chain(
    kind: str, target: str, quantize: str, network: Any, data: Path, folder: Path
) -> dict[str, Any]:
    """Bring a file to a bundle; return the compilation's facts."""
    imported(kind, network, data, folder)
    recipe = {"recipe": {"quantize": quantize}}
    compress_model("net", data, folder / "baseline", recipe, "0", folder / "recipe")
    slice_ = {"target": target_options(target)}
    facts = compile_model("net", data, folder / "recipe", slice_, "0", folder / "out").facts
    names = {"model": "net", "recipe": quantize, **slice_}
    pack_bundle("net", data, folder / "out", names, "0", folder / "out")
    return dict(facts)


@pytest.mark.parametrize(
    ("kind", "target", "quantize", "mean_error"),
    [
        ("keras", "litert", "ptq-int8", 0.05),
        ("saved_model", "litert", "ptq-int16x8", 0.05),
        ("tflite", "litert", "ptq-int8", 0.05),
        # NNCF strays further with weights that nobody trained.
        ("keras", "openvino", "ptq-int8", 0.1),
        ("tflite", "openvino", "none", 1e-4),
    ],
)
def test_from_a_file_to_gates_with_parity_for_each_output(
    kind: str,
    target: str,
    quantize: str,
    mean_error: float,
    network: Any,
    data: Path,
    view: DatasetView,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    facts = chain(kind, target, quantize, network, data, tmp_path)
    assert [tensor["name"] for tensor in facts["io"]["inputs"]] == NAMES
    io = read_bundle(tmp_path / "out/bundle.tar").io
    names = [tensor.name for tensor in io.outputs]
    for wanted, tensor in zip(outputs(network, view), io.outputs, strict=True):
        made = np.load(tmp_path / f"out/reference/{tensor.name}.npy").astype(np.float32)
        floats = (made - tensor.zero_point) * tensor.scale if tensor.scale else made
        assert np.abs(floats - wanted).mean() < mean_error * np.abs(wanted).max()

    release = unpack(tmp_path / "out/bundle.tar", tmp_path / "release")
    golden = json.loads(run_python("-B", str(release / "runner.py"), "golden"))
    assert golden == {"passed": True, "max_abs": dict.fromkeys(names, 0.0)}
    only_device(FakeDevice(release=release, home=tmp_path), tmp_path, monkeypatch)
    folders = Folders(
        dataset=data,
        model=tmp_path / "baseline",
        recipe=tmp_path / "recipe",
        compiled=tmp_path / "out",
    )
    (tmp_path / "deploy.json").write_text('{"changed": true, "signed_by": null}')
    slice_ = {
        "device": {"name": "bench", "device": {"transport": "virtual"}},
        "measure": {"warmup": 1, "runs": 10, "samples": 20},
        "names": {"device": "bench", "target": "pi", "model": "net", "recipe": quantize},
    }
    result = validate(slice_, "0", folders, tmp_path / "deploy.json", tmp_path / "v.json")
    assert list(result.parity.outputs) == names
    assert [one.share for one in result.parity.outputs.values()] == [1.0, 1.0]
    (gate,) = check_gates(json.loads((tmp_path / "v.json").read_text()), {"parity_min": 1.0})
    assert gate.passed


def test_training_and_debugging_of_two_inputs(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_several.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    slice_ = {"architecture": {"name": "own_several:build"}, "train": TRAIN}
    train_model("net", data, slice_, "0", tmp_path / "model")
    recipe = {"recipe": {"quantize": "qat-int8", "qat": {"epochs": 1}}, "train": TRAIN}
    compress_model("net", data, tmp_path / "model", recipe, "0", tmp_path / "recipe")
    debug_recipe("net", data, tmp_path / "recipe", {}, "0", tmp_path / "debug")
    figures = json.loads((tmp_path / "debug/quantization.json").read_text())
    assert [one["name"] for one in figures["inputs"]] == list(figures["narrow_channels"]) == NAMES
    target = {"target": target_options("openvino")}
    facts = compile_model("net", data, tmp_path / "recipe", target, "0", tmp_path / "out").facts
    assert [tensor["shape"] for tensor in facts["io"]["inputs"]] == [[1, 6, 6, 1], [1, 4]]
    assert [tensor["dtype"] for tensor in facts["io"]["inputs"]] == ["int8", "int8"]


def test_a_network_of_ones_own_has_one_output(
    keras: Any, view: DatasetView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_double.py").write_text(
        OWN.replace("(both))", "(both), both])").replace(
            "keras.Model(inputs, ", "keras.Model(inputs, ["
        )
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(TrainingError, match=r"gives outputs of shape \[\(None, "):
        build_network(keras, view.facts, Architecture.model_validate({"name": "own_double:build"}))


OWN = """
def build(keras, input_shape, classes):
    inputs = {name: keras.Input(shape, name=name) for name, shape in input_shape.items()}
    x = keras.layers.Flatten()(keras.layers.Conv2D(4, 3, activation="relu")(inputs["image"]))
    both = keras.layers.Concatenate()([x, inputs["state"]])
    return keras.Model(inputs, keras.layers.Dense(classes)(both))
"""


def test_an_onnx_file(data: Path, view: DatasetView, tmp_path: Path) -> None:
    """Its image has the channel first, and its inputs stand in another order."""
    nodes = [
        helper.make_node("Conv", ["pixels", "kernel"], ["c"], kernel_shape=[3, 3]),
        helper.make_node("Flatten", ["c"], ["f"]),
        helper.make_node("Concat", ["state", "f"], ["both"], axis=1),
        helper.make_node("MatMul", ["both", "w1"], ["place"]),
        helper.make_node("MatMul", ["both", "w2"], ["scores"]),
    ]
    ends = (
        {"state": ["n", 4], "pixels": ["n", 1, 6, 6]},
        {"place": ["n", 2], "scores": ["n", CLASSES]},
    )
    weights = {"kernel": draw(2, 1, 3, 3), "w1": draw(36, 2), "w2": draw(36, CLASSES)}
    source = save(tmp_path / "net.onnx", nodes, ends, weights)
    slice_ = {"kind": "onnx", "input": {"image": "pixels"}}
    manifest = import_model("net", data, source, slice_, "0", tmp_path / "out")
    assert manifest.facts["outputs"] == ["scores", "place"]
    inputs = view.tensors("test").arrays
    windows = np.lib.stride_tricks.sliding_window_view(inputs["image"], (3, 3), axis=(1, 2))
    convolved = np.einsum("nhwcij,ocij->nohw", windows, weights["kernel"]).reshape(-1, 32)
    both = np.concatenate([inputs["state"], convolved], axis=1)
    found = np.load(tmp_path / "out/outputs.npy")
    np.testing.assert_allclose(found, both @ weights["w2"], atol=1e-3)


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ({"input": {"image": "picture"}}, "it has no input 'picture', only 'state', 'image'"),
        ({"input": {"picture": "image"}}, "inputs 'image', 'state', and .* names 'picture'"),
        ({"output": ["scores", "scores"]}, "names one twice"),
        ({"output": ["place", "scores"]}, r"outputs of shape \(2,\), its dataset has"),
    ],
)
def test_a_choice_that_does_not_fit(
    choice: dict[str, Any], said: str, network: Any, data: Path, tmp_path: Path
) -> None:
    with pytest.raises(CompileError, match=said):
        imported("keras", network, data, tmp_path, **choice)


def test_a_recipe_that_trains_needs_the_truth_of_all_outputs(
    network: Any, data: Path, tmp_path: Path
) -> None:
    imported("keras", network, data, tmp_path)
    recipe = {"recipe": {"quantize": "qat-int8", "qat": {"epochs": 1}}, "train": TRAIN}
    with pytest.raises(TrainingError, match="truth of one of the 2 outputs: scores, place"):
        compress_model("net", data, tmp_path / "baseline", recipe, "0", tmp_path / "recipe")
    imported("keras", network, data, tmp_path, output="scores")
    compress_model("net", data, tmp_path / "baseline", recipe, "0", tmp_path / "recipe")
