"""Where quantization loses accuracy."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeflow.compress.debug.build import debug_recipe
from edgeflow.compress.debug.classes import compare_classes
from edgeflow.compress.debug.errors import compare
from edgeflow.compress.debug.graph import Layer, layers, open_graph, pairs
from edgeflow.compress.ptq.flatbuffer import _with_ranges, calibrate, to_int8
from edgeflow.compress.ptq.ranges import Range
from edgeflow.compress.source import FloatModel
from edgeflow.config.recipe import Calibration
from edgeflow.dataset.tensors import stored
from edgeflow.testing.trained import Trained

NAMES = [
    *("conv2d", "depthwise_conv2d", "conv2d_1", "depthwise_conv2d_1", "conv2d_2"),
    *("global_average_pooling2d", "logits"),
]


def model(trained: Trained, recipe: str) -> bytes:
    return (trained.recipe(recipe) / "model.tflite").read_bytes()


def graph(trained: Trained, recipe: str) -> list[Layer]:
    return layers(open_graph(model(trained, recipe)))


def errors(trained: Trained, quantized: bytes) -> Any:
    samples = trained.view().tensors("calibration")
    return compare(model(trained, "none"), quantized, samples)


def made_up(operator: str, size: int, name: str = "x", output: int = 0) -> Layer:
    return Layer(
        name=name, operator=operator, tensor=name, output=output, inputs=(), shape=(1, size)
    )


def test_layers_have_the_names_of_the_keras_layers(trained: Trained) -> None:
    assert [layer.name for layer in graph(trained, "none")] == NAMES


@pytest.mark.parametrize("recipe", ["ptq-int8", "ptq-int16x8", "qat-int8", "keep-float", "uint8"])
def test_every_layer_is_found_again(trained: Trained, recipe: str) -> None:
    found = pairs(graph(trained, "none"), graph(trained, recipe))
    assert [one.name for one, _ in found] == NAMES
    assert all(one.operator == other.operator for one, other in found)


def test_a_layer_more_on_one_side_shifts_nothing() -> None:
    first = [made_up("CONV_2D", 4, "a"), made_up("ADD", 4, "b"), made_up("FULLY_CONNECTED", 2, "c")]
    second = [first[0], made_up("RESHAPE", 4), first[1], made_up("PAD", 9), first[2]]
    assert [one.name for one, _ in pairs(first, second)] == ["a", "b", "c"]
    assert pairs(first, [made_up("CONV_2D", 5)]) == []


def test_a_network_has_no_error_against_itself(trained: Trained) -> None:
    found = errors(trained, model(trained, "none"))
    assert {(e.sqnr_db, e.max_error, e.saturated, e.dtype) for e in found.errors} == {
        (None, 0.0, 0.0, "float32")
    }
    assert found.hurting() == []


def test_sixteen_bits_are_nearer_to_float_than_eight(trained: Trained) -> None:
    eight, sixteen = (
        errors(trained, model(trained, name)).errors for name in ("ptq-int8", "ptq-int16x8")
    )
    assert all(a.sqnr_db < b.sqnr_db for a, b in zip(eight, sixteen, strict=True))
    assert all(25 < error.sqnr_db < 60 for error in eight)
    assert {error.saturated for error in eight} == {0.0}


def test_the_layer_with_a_range_far_too_wide_is_named(trained: Trained) -> None:
    source, samples = model(trained, "none"), trained.view().tensors("calibration")
    tensor = graph(trained, "none")[3].tensor
    calibrated = calibrate(source, samples, Calibration())
    wide = to_int8(_with_ranges(calibrated, {tensor: Range(low=0.0, high=500.0)}))
    (worst, *_) = errors(trained, wide).hurting()
    assert worst.name == NAMES[3]
    assert worst.own_sqnr_db < 10


def test_values_beyond_the_range_are_counted(trained: Trained) -> None:
    source, samples = model(trained, "none"), trained.view().inputs("calibration")
    narrow = to_int8(calibrate(source, stored(samples * np.float32(0.3)), Calibration()))
    found = errors(trained, narrow)
    dark = float((samples > 0.3 * samples.max() * 257 / 255).mean())
    assert found.inputs[0].saturated == pytest.approx(dark, abs=0.02)
    assert dark > 0.2
    assert errors(trained, model(trained, "ptq-int8")).inputs[0].saturated == 0


def test_weights_spread_over_channels(trained: Trained) -> None:
    found = {e.name: e.weight_spread for e in errors(trained, model(trained, "ptq-int8")).errors}
    assert found["global_average_pooling2d"] is None
    assert all(spread > 1 for name, spread in found.items() if "conv" in name)


def test_classes_are_told_apart() -> None:
    truth = np.array([0, 0, 1, 1])
    before, after = np.array([0, 0, 1, 0]), np.array([0, 2, 1, 1])
    assert compare_classes(before, after, truth, 3) == {
        "agreement": 0.5,
        "right": {"float": 0.75, "quantized": 0.75},
        "by_class": [
            {"samples": 2, "float": 1.0, "quantized": 0.5},
            {"samples": 2, "float": 0.5, "quantized": 1.0},
            {"samples": 0, "float": None, "quantized": None},
        ],
    }


def debug(trained: Trained, recipe: str, out: Path) -> Any:
    debug_recipe("tiny", trained.dataset, trained.recipe(recipe), {}, "0", out)
    return json.loads((out / "quantization.json").read_text())


@pytest.mark.parametrize("recipe", ["ptq-int8", "ptq-int16x8", "keep-float", "mse"])
def test_the_step_tells_of_layers_classes_and_calibration(
    trained: Trained, recipe: str, tmp_path: Path
) -> None:
    found = debug(trained, recipe, tmp_path / "a")
    assert [layer["name"] for layer in found["layers"]] == NAMES
    assert found["samples"] == 100
    assert [size["samples"] for size in found["calibration_sizes"]] == [12, 25, 50, 100]
    # With all of the set it is the recipe's own model.
    assert found["calibration_sizes"][-1]["metric"] == found["classes"]["right"]["quantized"]
    assert found["calibration_sizes"][-1]["sqnr_db"] > found["calibration_sizes"][0]["sqnr_db"]
    debug(trained, recipe, tmp_path / "b")
    for name in ("quantization.json", "manifest.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_training_with_rounding_does_not_calibrate(trained: Trained, tmp_path: Path) -> None:
    found = debug(trained, "qat-int8", tmp_path)
    assert [layer["name"] for layer in found["layers"]] == NAMES
    assert found["calibration_sizes"] == []
    assert found["classes"]["agreement"] > 0.8


def test_there_is_nothing_to_say_of_a_float_model(trained: Trained, tmp_path: Path) -> None:
    assert debug(trained, "none", tmp_path) == {"quantize": "none"}


def test_layers_of_branches_and_of_the_output_have_names_too(keras: Any) -> None:
    inputs = keras.Input((6, 6, 1))
    first = keras.layers.Conv2D(4, 3, padding="same", activation="relu", name="stem")(inputs)
    second = keras.layers.Conv2D(4, 3, padding="same", name="block/conv")(first)
    joined = keras.layers.Add(name="join")([first, second])
    flat = keras.layers.Flatten(name="flat")(joined)
    outputs = keras.layers.Softmax(name="scores")(keras.layers.Dense(3, name="dense")(flat))
    source = FloatModel(keras.Model(inputs, outputs, name="net")).converter().convert()
    found = layers(open_graph(source))
    assert [layer.name for layer in found] == [
        *("stem", "block/conv", "join", "flat", "dense", "softmax"),
    ]
    samples = stored(np.random.default_rng(0).normal(size=(20, 6, 6, 1)).astype(np.float32))
    quantized = to_int8(calibrate(source, samples, Calibration()))
    assert len(compare(source, quantized, samples).errors) == 6
