"""`quantize: hgq`: fixed point, computed alike by HGQ2's network and by its .tflite."""

import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeflow.artifact.manifest import read_manifest
from edgeflow.compress import hgq
from edgeflow.compress.build import compress_model
from edgeflow.compress.evaluate import host_outputs
from edgeflow.compress.hgq.read import read_graph, require_known
from edgeflow.config.recipe import Hgq
from edgeflow.dataset.tensors import Tensors
from edgeflow.errors import CompileError, IntegrityError
from edgeflow.testing.trained import RECIPES, TRAIN, Trained
from edgeflow.toolchain.environment import locked, python_of
from edgeflow.toolchain.fpga import environment
from tests.unit.compress.networks import network

_PREDICT = """\
import sys
import hgq.layers, keras, numpy as np
model = keras.models.load_model(sys.argv[1], compile=False)
np.save(sys.argv[3], model(np.load(sys.argv[2]), training=False))
"""


def by_keras(path: Path, samples: Tensors, scratch: Path) -> Any:
    """Return what a network gives in Keras 3, in the environment of HGQ2."""
    given, made = scratch / "given.npy", scratch / "made.npy"
    np.save(given, samples.first)
    command = [python_of(environment(), "a test"), "-c", _PREDICT, path, given, made]
    held = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    subprocess.run(list(map(str, command)), check=True, capture_output=True, env=held)
    return np.load(made)


def mixed(keras: Any) -> Any:
    """Return a network with each kind of layer that has a fixed-point form."""
    layers = keras.layers
    inputs = keras.Input((8, 8, 1))
    x = layers.ReLU(max_value=6.0)(
        layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same", use_bias=False)(inputs))
    )
    y = layers.DepthwiseConv2D(3, padding="same", dilation_rate=2, activation="relu")(x)
    x = layers.Add()([x, layers.BatchNormalization()(y)])
    x = layers.Concatenate()([layers.Multiply()([x, y]), layers.Maximum()([x, y])])
    x = layers.SeparableConv2D(4, 3, strides=2, padding="same", activation="relu")(x)
    x = layers.Dropout(0.5)(layers.AveragePooling2D((3, 1), strides=1)(x))
    x = layers.MaxPooling2D((2, 1))(layers.Subtract()([x, layers.Minimum()([x, x * 0.5])]))
    one, other = layers.GlobalAveragePooling2D()(x), layers.GlobalMaxPooling2D()(x)
    x = layers.Concatenate()([layers.Reshape((4,))(one), other])
    return keras.Model(inputs, layers.Dense(10, name="logits")(layers.Flatten()(x)))


def test_a_network_of_all_kinds_of_layers_computes_what_its_tflite_does(
    keras: Any, trained: Trained, tmp_path: Path
) -> None:
    view, model = trained.view("train", "validation"), mixed(keras)
    given = network(keras, model, view)
    made = hgq.apply(given, Hgq(epochs=0, bits=8), tmp_path)
    samples = view.tensors("validation")
    found = host_outputs(made.model, samples)
    np.testing.assert_array_equal(found, by_keras(made.network, samples, tmp_path))
    wanted = model(samples.first, training=False).numpy()
    assert wanted.std() > 0
    assert np.abs(found - wanted).mean() < 0.1 * wanted.std()
    assert 4 < float(str(made.facts["weight_bits"])) <= 8


def test_what_is_trained_is_the_same_on_every_sample_and_each_time(
    trained: Trained, tmp_path: Path
) -> None:
    folder, samples = trained.recipe("hgq"), trained.view().tensors("test")
    found = by_keras(folder / "network" / hgq.NETWORK_FILE, samples, tmp_path)
    np.testing.assert_array_equal(found, trained.logits("hgq"))
    asked = {"recipe": RECIPES["hgq"], "train": TRAIN}
    again = compress_model("again", trained.dataset, trained.model, asked, "0", tmp_path / "again")
    before = read_manifest(folder / "manifest.json")
    assert again.files == before.files
    assert again.facts == before.facts
    assert before.facts["ebops"] > 0
    assert before.facts["activation_bits"] < 6
    assert before.tools["fpga.txt"] == locked(environment())["fpga.txt"]


def test_inputs_out_of_range_are_held_to_it(trained: Trained) -> None:
    flatbuffer = (trained.recipe("hgq") / "model.tflite").read_bytes()
    sample = np.ones((2, 8, 8, 1), np.float32)
    sample[0] *= 1e3
    sample[1] *= 2e3
    bright, brighter = host_outputs(flatbuffer, Tensors({"input": sample}))
    np.testing.assert_array_equal(bright, brighter)


def test_a_normalization_becomes_part_of_the_convolution_before_it(keras: Any) -> None:
    layers = keras.layers
    inputs = keras.Input((4, 4, 1))
    x = layers.BatchNormalization(name="norm")(layers.DepthwiseConv2D(1, name="conv")(inputs))
    model = keras.Model(inputs, x)
    model.get_layer("norm").set_weights([np.full(1, v) for v in (3.0, 0.5, 1.0, 4.0)])
    model.get_layer("norm").epsilon = 0.0
    model.get_layer("conv").set_weights([np.full((1, 1, 1, 1), 2.0), np.ones(1)])
    graph = read_graph(keras, model)
    assert [node.layer for node in graph.nodes] == ["Input", "QConv2D"]
    kernel, bias = graph.nodes[1].weights
    assert kernel.item() == pytest.approx(3.0, abs=1e-2)
    assert bias.item() == pytest.approx(0.5, abs=1e-2)


def test_layers_without_a_fixed_point_form_are_named(keras: Any) -> None:
    layers = keras.layers
    inputs = keras.Input((7, 7, 2))
    x = layers.AveragePooling2D(2, padding="same", name="pool")(inputs)
    shared = layers.Conv2D(2, 1, name="shared")
    x = layers.Activation("tanh", name="bent")(shared(shared(x)))
    x = layers.LayerNormalization(name="norm")(x)
    x = layers.Dense(3, activation="softmax", name="odds")(layers.Flatten()(x))
    with pytest.raises(CompileError) as caught:
        require_known("net/fpga", keras, keras.Model(inputs, x))
    _, named = caught.value.message.split(" has no fixed-point form of ")
    assert named.split("), ") == [
        "pool (AveragePooling2D, padding same",
        "shared (Conv2D, used more than once",
        "bent (Activation, tanh",
        "norm (LayerNormalization",
        "odds (Dense, softmax)",
    ]


def test_another_environment_than_planned_with_is_refused(trained: Trained, tmp_path: Path) -> None:
    asked = {"recipe": {"quantize": "hgq"}, "train": TRAIN}
    places = (trained.dataset, trained.model)
    with pytest.raises(IntegrityError, match=r"fpga\.txt is of another version"):
        compress_model("m/r", *places, asked, "0", tmp_path / "out", (), {"fpga.txt": "other"})
    assert not (tmp_path / "out").exists()
