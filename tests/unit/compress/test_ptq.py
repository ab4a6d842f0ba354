"""Ranges, and layers that stay in float: from a float .tflite alone."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edgeflow.compress.build import compress_model
from edgeflow.compress.conversion import converted
from edgeflow.compress.debug.graph import layers, open_graph
from edgeflow.compress.evaluate import host_outputs
from edgeflow.compress.flatbuffer import flatbuffer_converter
from edgeflow.compress.ptq import ranges
from edgeflow.compress.ptq.flatbuffer import calibrate, to_int8, to_int16x8
from edgeflow.compress.ptq.ranges import least_error, percentile
from edgeflow.compress.ptq.selective import Selection
from edgeflow.config.recipe import Calibration, KeepFloat, Recipe
from edgeflow.dataset.view import DatasetView
from edgeflow.errors import CompileError
from edgeflow.testing.trained import Trained


def model(trained: Trained, recipe: str) -> bytes:
    return (trained.recipe(recipe) / "model.tflite").read_bytes()


def dtypes(flatbuffer: bytes) -> dict[str, str]:
    """Return the type of each layer's output."""
    graph = open_graph(flatbuffer)
    details = {t["index"]: t["dtype"].__name__ for t in graph.get_tensor_details()}
    return {layer.name: details[layer.output] for layer in layers(graph)}


def histogram(values: Any) -> Any:
    low, high = float(values.min()), float(values.max())
    counts = np.histogram(values, ranges.BINS, (low, high))[0]
    return ranges._Histogram(low=low, high=high, counts=counts)


def squared_error(values: Any, low: float, high: float) -> float:
    step = (high - low) / 255
    zero = np.rint(-low / step)
    back = (np.clip(np.rint(values / step) + zero, 0, 255) - zero) * step
    return float(np.square(values - back).mean())


@pytest.mark.parametrize("quantize", ["ptq-int8", "ptq-int16x8"])
def test_a_tflite_gives_what_the_converter_gives(trained: Trained, quantize: str) -> None:
    view, source = trained.view(), model(trained, "none")
    samples = view.tensors("calibration")
    whole = quantize == "ptq-int8"
    ours = (
        to_int8(calibrate(source, samples, Calibration())) if whole else to_int16x8(source, samples)
    )
    np.testing.assert_array_equal(
        host_outputs(ours, view.tensors("test")), trained.logits(quantize)
    )


def scales_of_dense_layers(flatbuffer: bytes) -> set[int]:
    """Return how many scales the weights of dense layers have."""
    interpreter = open_graph(flatbuffer)
    tensors = {one["index"]: one for one in interpreter.get_tensor_details()}
    return {
        len(tensors[entry["inputs"][1]]["quantization_parameters"]["scales"])
        for entry in interpreter._get_ops_details()
        if entry["op_name"] == "FULLY_CONNECTED"
    }


def test_dense_layers_may_have_one_scale_for_all(trained: Trained) -> None:
    """Whichever way the network becomes integer."""
    source, samples = model(trained, "none"), trained.view().tensors("calibration")
    recipe = Recipe(quantize="ptq-int8", dense_scales="per-tensor")
    calibrated = calibrate(source, samples, Calibration())
    assert min(scales_of_dense_layers(to_int8(calibrated))) > 1
    assert scales_of_dense_layers(to_int8(calibrated, dense_scales="per-tensor")) == {1}
    whole = SimpleNamespace(converter=lambda: flatbuffer_converter(source))
    assert scales_of_dense_layers(converted("tiny", whole, recipe, samples)) == {1}


def test_all_values_in_the_range_is_minimum_and_maximum(trained: Trained) -> None:
    source, samples = model(trained, "none"), trained.view().tensors("calibration")
    every = Calibration(method="percentile", percentile=100.0)
    assert to_int8(calibrate(source, samples, every)) == to_int8(
        calibrate(source, samples, Calibration())
    )


def test_a_percentile_leaves_as_much_out_at_either_end() -> None:
    values = np.linspace(-1, 3, 100_001)
    found = percentile(histogram(values), 90.0)
    assert (found.low, found.high) == pytest.approx((-0.8, 2.8), abs=2e-3)


def test_a_range_holds_zero_whatever_the_values_are() -> None:
    values = np.linspace(2, 3, 1000)
    assert percentile(histogram(values), 99.0).low == 0
    assert least_error(histogram(-values)).high == 0


def test_the_least_error_is_less_than_that_of_minimum_and_maximum() -> None:
    values = np.append(np.random.default_rng(0).normal(size=100_000), 40.0)
    found = least_error(histogram(values))
    assert found.high < 40 * 0.9
    assert squared_error(values, found.low, found.high) < 0.9 * squared_error(
        values, float(values.min()), 40.0
    )


@pytest.mark.parametrize("recipe", ["percentile", "mse"])
def test_other_ranges_make_another_integer_model(trained: Trained, recipe: str) -> None:
    assert set(dtypes(model(trained, recipe)).values()) == {"int8"}
    assert model(trained, recipe) != model(trained, "ptq-int8")
    truth = trained.view().truth("test")
    hits, plain = (
        (trained.logits(name).argmax(axis=1) == truth).mean() for name in (recipe, "ptq-int8")
    )
    assert hits >= plain - 0.05


def test_uint8_is_int8_with_another_input_and_output(trained: Trained) -> None:
    graph = open_graph(model(trained, "uint8"))
    assert graph.get_input_details()[0]["dtype"] is np.uint8
    assert graph.get_output_details()[0]["dtype"] is np.uint8
    np.testing.assert_array_equal(trained.logits("uint8"), trained.logits("ptq-int8"))


def test_named_layers_stay_in_float_and_no_others(trained: Trained) -> None:
    flatbuffer = model(trained, "keep-float")
    kept = {name for name, dtype in dtypes(flatbuffer).items() if dtype == "float32"}
    assert kept == {"logits", "depthwise_conv2d_1"}
    graph = open_graph(flatbuffer)
    assert graph.get_input_details()[0]["dtype"] is np.int8
    assert graph.get_output_details()[0]["dtype"] is np.int8


def compress(trained: Trained, recipe: dict[str, Any], out: Path) -> Any:
    slice_ = {"recipe": {"quantize": "ptq-int8", **recipe}}
    return compress_model("tiny", trained.dataset, trained.model, slice_, "0", out)


def test_a_layer_that_is_not_there(trained: Trained, tmp_path: Path) -> None:
    with pytest.raises(CompileError, match=r"keep_float\.layers: no layer 'logit'") as caught:
        compress(trained, {"keep_float": {"layers": ["conv*", "logit"]}}, tmp_path / "out")
    assert caught.value.hint == "did you mean 'logits'?"
    assert list(tmp_path.iterdir()) == []


def test_the_worst_layers_stay_in_float_until_the_accuracy_is_kept(
    trained: Trained, tmp_path: Path
) -> None:
    harsh = {"method": "percentile", "percentile": 70.0}
    limits = {"worst": 5, "accuracy_drop_max": 0.05}
    facts = compress(trained, {"calibration": harsh, "keep_float": limits}, tmp_path).facts
    kept = facts["kept_float"]
    drops = [entry["worse_by"] for entry in kept]
    assert 1 <= len(kept) <= 5
    assert all(drop > 0.05 for drop in drops[:-1])
    assert drops[-1] <= 0.05 or len(kept) == 5
    assert {entry["reason"] for entry in kept} == {"worst"}
    types = dtypes((tmp_path / "model.tflite").read_bytes())
    assert {name for name, dtype in types.items() if dtype == "float32"} == {
        entry["layer"] for entry in kept
    }


def test_the_worst_layers_stay_in_float_until_an_error_is_low_enough(
    trained: Trained, tmp_path: Path
) -> None:
    source, view = model(trained, "none"), trained.view()
    # The float network's own outputs as targets: its error is 0, that of all integers is not.
    inputs, truth = view.tensors("validation"), host_outputs(source, view.tensors("validation"))
    np.save(tmp_path / "validation_x.npy", view.raw("validation"))
    np.save(tmp_path / "validation_y.npy", truth)
    values = DatasetView(
        folder=tmp_path, facts=view.facts.model_copy(update={"task": "regression"})
    )
    samples = view.tensors("calibration")
    found = Selection(source, calibrate(source, samples, Calibration()), samples)
    whole = np.sqrt(np.square(host_outputs(found.model, inputs) - truth).mean())
    found.keep_worst(KeepFloat.model_validate({"worst": 2, "rmse_rise_max": 0.0}), values)
    rises = [entry["worse_by"] for entry in found.kept]
    assert len(rises) == 2
    left = np.sqrt(np.square(host_outputs(found.model, inputs) - truth).mean())
    assert rises[-1] == pytest.approx(left)
    assert left > 0
    most = Selection(source, calibrate(source, samples, Calibration()), samples)
    most.keep_worst(KeepFloat.model_validate({"worst": 20, "rmse_rise_max": 0.0}), values)
    assert most.kept[-1]["worse_by"] < whole
    enough = Selection(source, calibrate(source, samples, Calibration()), samples)
    enough.keep_worst(KeepFloat.model_validate({"worst": 2, "rmse_rise_max": 2 * whole}), values)
    assert enough.kept == []


def test_no_layer_stays_in_float_where_int8_is_good_enough(
    trained: Trained, tmp_path: Path
) -> None:
    limits = {"worst": 3, "accuracy_drop_max": 0.5}
    assert compress(trained, {"keep_float": limits}, tmp_path).facts["kept_float"] == []
    assert set(dtypes((tmp_path / "model.tflite").read_bytes()).values()) == {"int8"}
