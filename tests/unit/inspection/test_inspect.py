import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper
from typer.testing import CliRunner

from edgeflow.cli.app import app
from edgeflow.config.recipe import Recipe
from edgeflow.errors import CompileError
from edgeflow.inspection.fits import known_recipes
from edgeflow.inspection.inspect import inspect
from edgeflow.inspection.of_onnx import inspect_onnx
from edgeflow.inspection.of_tflite import inspect_tflite
from edgeflow.testing.trained import Trained
from tests.unit.imported.onnx_models import draw, linear, save


@pytest.fixture
def conv(tmp_path: Path) -> Path:
    nodes = [
        helper.make_node("Conv", ["input", "w"], ["a"], pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "d"], ["c"], group=8, pads=[1, 1, 1, 1]),
        helper.make_node("GlobalAveragePool", ["c"], ["e"]),
        helper.make_node("Flatten", ["e"], ["f"]),
        helper.make_node("Gemm", ["f", "v", "g"], ["logits"], transB=1),
    ]
    weights = {"w": draw(8, 3, 3, 3), "d": draw(8, 1, 3, 3), "v": draw(10, 8), "g": draw(10)}
    ends = ({"input": ["n", 3, 32, 32]}, {"logits": ["n", 10]})
    return save(tmp_path / "conv.onnx", nodes, ends, weights)


def test_an_onnx_file(conv: Path) -> None:
    facts = inspect_onnx(conv)
    assert facts.macs == {
        "Conv": 16 * 16 * 8 * 27,
        "Conv (depthwise)": 16 * 16 * 8 * 9,
        "Gemm": 80,
    }
    assert facts.parameters == 8 * 27 + 8 * 9 + 80 + 10
    assert facts.not_counted == {"Relu": 1, "GlobalAveragePool": 1, "Flatten": 1}
    assert facts.weights == {"float32": 3}
    assert facts.size_bytes == conv.stat().st_size
    assert str(facts.inputs[0]) == "input: float32 (?, 3, 32, 32)"
    assert [one.shape for one in facts.outputs] == [(-1, 10)]
    assert (facts.quantize, facts.notes) == ("none", ())


def test_a_quantized_onnx_file(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("QuantizeLinear", ["input", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["x"]),
        helper.make_node("DequantizeLinear", ["w", "ws", "wz"], ["y"], axis=1),
        helper.make_node("MatMul", ["x", "y"], ["logits"]),
    ]
    weights = {
        "s": np.float32(0.1), "z": np.int8(0), "w": np.ones((64, 10), np.int8),
        "ws": np.full(10, 0.5, np.float32), "wz": np.zeros(10, np.int8),
    }  # fmt: skip
    ends = ({"input": ["n", 64]}, {"logits": ["n", 10]})
    facts = inspect_onnx(save(tmp_path / "q.onnx", nodes, ends, weights))
    assert facts.quantize == "ptq-int8"
    assert facts.weights == {"int8 per channel": 1}
    assert facts.macs == {"MatMul": 640}


def test_sizes_that_only_a_run_tells_are_not_made_up(tmp_path: Path) -> None:
    nodes = [helper.make_node("Conv", ["input", "w"], ["y"])]
    ends = ({"input": ["n", 3, "h", "w"]}, {"y": ["n", 8, "a", "b"]})
    facts = inspect_onnx(save(tmp_path / "free.onnx", nodes, ends, {"w": draw(8, 3, 3, 3)}))
    assert facts.macs == {}
    assert facts.not_counted == {"Conv": 1}
    assert facts.notes == ("1 operators have sizes that only a run tells: Conv",)


def test_a_tflite(trained: Trained, keras: Any) -> None:
    model = keras.models.load_model(trained.model / "model.h5", compile=False)
    kinds = {
        "Conv2D": "CONV_2D",
        "DepthwiseConv2D": "DEPTHWISE_CONV_2D",
        "Dense": "FULLY_CONNECTED",
    }
    wanted, folded = dict.fromkeys(kinds.values(), 0), 0
    for layer in model.layers:
        kind = type(layer).__name__
        if kind in kinds:
            places = int(np.prod(layer.output_shape[1:-1]))
            wanted[kinds[kind]] += places * layer.get_weights()[0].size
        elif kind == "BatchNormalization":  # of four values one stays, a bias of the layer before
            folded += 3 * layer.get_weights()[0].size
    facts = inspect_tflite(trained.recipe("none") / "float.tflite")
    assert facts.macs == {name: macs for name, macs in wanted.items() if macs}
    assert (facts.quantize, set(facts.weights), facts.in_float) == ("none", {"float32"}, {})
    assert facts.parameters == model.count_params() - folded

    integer = inspect_tflite(trained.recipe("ptq-int8") / "model.tflite")
    assert (integer.macs, integer.parameters) == (facts.macs, facts.parameters)
    assert integer.quantize == "ptq-int8"
    assert any(name.startswith("int8 per channel") for name in integer.weights)
    assert integer.inputs[0].dtype == "int8"
    assert integer.inputs[0].scale > 0
    mixed = inspect_tflite(trained.recipe("keep-float") / "model.tflite")
    assert "FULLY_CONNECTED" in mixed.in_float
    assert integer.in_float == {}


def test_what_is_damaged(tmp_path: Path, trained: Trained) -> None:
    content = (trained.recipe("none") / "float.tflite").read_bytes()
    (tmp_path / "cut.tflite").write_bytes(content[:100])
    (tmp_path / "text.onnx").write_text("no model")
    for path in (tmp_path / "cut.tflite", tmp_path / "text.onnx"):
        with pytest.raises(CompileError) as caught:
            inspect(path, None)
        assert str(path) in caught.value.message


def test_without_a_configuration_each_way_to_quantize_is_a_recipe(tmp_path: Path) -> None:
    found = inspect(linear(tmp_path / "lin.onnx"), None)
    assert {fit.recipe for fit in found.recipes} == set(known_recipes(None))
    refused = {fit.recipe: fit.reason for fit in found.recipes if fit.reason}
    assert list(refused) == ["qat-int8", "hgq"]
    assert "cannot be trained on" in refused["qat-int8"]
    (openvino,) = [fit for fit in found.targets if fit.target == "openvino"]
    assert "ptq-int8" in openvino.takes
    assert "quantize: dynamic (it takes: " in openvino.refuses["dynamic"]


def test_targets_say_what_they_think_of_a_tflite(trained: Trained, tmp_path: Path) -> None:
    found = inspect(trained.recipe("ptq-int16x8") / "model.tflite", None)
    assert [fit.recipe for fit in found.recipes if not fit.reason] == ["none"]
    targets = {fit.target: fit for fit in found.targets}
    assert targets["litert"].takes == ("none",)
    assert any("XNNPACK takes no int16" in text for text in targets["litert"].findings)
    assert targets["openvino"].takes == ()
    assert "ptq-int16x8 already" in targets["openvino"].refuses["none"]


def test_networks_of_tensorflow_are_converted(trained: Trained, tmp_path: Path) -> None:
    """One process of TensorFlow for both: that they are read alike is tested of their imports."""
    from edgeflow.inspection.converted import as_tflite

    prune = Recipe.model_validate({"prune_channels": {"share": 0.5}})
    made = as_tflite(trained.model / "model.h5", tmp_path, "dynamic", {"prune": prune})
    assert made.refusals == {}
    assert inspect_tflite(made.path).quantize == "dynamic"


CONFIG = """\
datasets:
  mine: {source: npz, path: mine.npz}
models:
  lin: {dataset: mine, source: lin.onnx}
recipes:
  small: {quantize: ptq-int8}
  learned: {quantize: qat-int8}
targets:
  pi: {kind: litert}
devices:
  bench: {target: pi, transport: virtual}
deployments:
  - {model: lin, recipe: small, devices: [bench]}
"""


def test_the_command(tmp_path: Path, trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    linear(tmp_path / "lin.onnx")
    (tmp_path / "config.yaml").write_text(CONFIG)
    folder = tmp_path / "results/models/lin/small"
    folder.mkdir(parents=True)
    content = (trained.recipe("ptq-int8") / "model.tflite").read_bytes()
    (folder / "model.tflite").write_bytes(content)
    done = CliRunner().invoke(app, ["model", "inspect", "lin"])
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[0].startswith("lin.onnx: onnx, ")
    assert "MACs of one sample: 640" in lines
    assert "  small: yes" in lines
    assert any(line.startswith("  learned: no: ") for line in lines)
    assert "  pi (litert): takes small" in lines
    said = json.loads(CliRunner().invoke(app, ["model", "inspect", "lin/small", "--json"]).output)
    assert said["quantize"] == "ptq-int8"
    assert said["macs_total"] == sum(said["macs"].values())
    for name in ("none.onnx", "lin/none", "config.yaml"):
        assert CliRunner().invoke(app, ["model", "inspect", name]).exit_code == 2
