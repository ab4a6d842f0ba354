import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from typer.testing import CliRunner

from edgeflow.check.project import check_project
from edgeflow.cli.app import app
from edgeflow.config.load import load_file
from edgeflow.config.placeholder import unfilled
from edgeflow.errors import CompileError, ConfigError
from edgeflow.project.create import create
from edgeflow.project.end import End
from edgeflow.project.modelends import model_ends
from edgeflow.project.own import draft_from
from tests.unit.project.conftest import Draw


def write_onnx(path: Path, inputs: dict[str, list[Any]], classes: int = 2) -> Path:
    """Write a model whose first input is summed up to one value for each class."""
    first = next(iter(inputs))
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", [first], ["flat"]),
            helper.make_node("ReduceSum", ["flat"], ["sum"], keepdims=1),
            helper.make_node("Concat", ["sum"] * classes, ["logits"], axis=1),
        ],
        "sums",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in inputs.items()],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", classes])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return path


def test_the_size_of_images_is_that_of_the_model(
    tmp_path: Path, draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw()
    write_onnx(tmp_path / "net.onnx", {"pixels": ["n", 1, 24, 20]})
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["init", "new", "--model", "net.onnx", "--data", "photos"])
    assert done.exit_code == 0, done.output
    monkeypatch.chdir(tmp_path / "new")
    config = check_project(Path("config.yaml"), fast=False)
    section, model = config.datasets["photos"], config.models["net"]
    assert section.source == "image_folder"
    assert (section.size, section.channels) == ((24, 20), 1)
    assert model.source == str(tmp_path / "net.onnx")
    assert "# inputs: pixels 1x24x20 float32" in Path("config.yaml").read_text()


def test_a_model_alone_says_what_is_missing(
    tmp_path: Path, draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_onnx(tmp_path / "net.onnx", {"pixels": ["n", 1, 24, 20], "state": ["n", 2]})
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["init", "new", "--model", "net.onnx"])
    assert done.exit_code == 0, done.output
    assert "a folder of images for each of 2 classes" in done.output
    assert "next: replace FILL-IN in config.yaml" in done.output
    monkeypatch.chdir(tmp_path / "new")
    with pytest.raises(ConfigError, match=r"datasets\.samples\.path: no file 'FILL-IN'"):
        check_project(Path("config.yaml"), fast=True)
    with pytest.raises(ConfigError, match=r"line \d+: datasets\.samples\.path: no file 'FILL-IN'"):
        load_file(Path("config.yaml"), [unfilled])  # as a build does
    config = Path("config.yaml")
    text = config.read_text().replace("path: FILL-IN", f"path: {draw()}")
    config.write_text(text.replace("calibration: 100", "calibration: 10"))
    assert check_project(config, fast=True).models["net"].input == "pixels"


def test_what_does_not_fit_is_not_written(tmp_path: Path, draw: Draw) -> None:
    write_onnx(tmp_path / "net.onnx", {"pixels": [1, 3, 24, 20]}, classes=5)
    (tmp_path / "page.onnx").write_text("<html>")
    (tmp_path / "weights.h5").write_bytes(b"\x89HDF")
    cases = {
        "net.onnx": "its dataset has 2 classes",
        "page.onnx": "web page",
        "weights.h5": "no model of Keras",
        "photos": "no model file",
        "none.onnx": "does not exist",
    }
    photos = draw()
    for name, reason in cases.items():
        with pytest.raises(CompileError, match=reason):
            draft_from(tmp_path / "new", photos, tmp_path / name)


def test_an_example_or_ones_own(tmp_path: Path) -> None:
    place = str(tmp_path / "new")
    assert CliRunner().invoke(app, ["init", place, "-t", "image", "--data", "."]).exit_code == 2
    assert CliRunner().invoke(app, ["init", place, "--device", "no way"]).exit_code == 2
    assert CliRunner().invoke(app, ["init", place, "--model", "none.onnx"]).exit_code == 2
    assert not (tmp_path / "new").exists()
    done = CliRunner().invoke(app, ["init", place, "--device", "me@10.0.0.7"])
    assert done.exit_code == 0
    text = (tmp_path / "new" / "config.yaml").read_text()
    assert "  #   host: 10.0.0.7\n  #   user: me\n" in text
    assert "edgeflow device trust 10.0.0.7" in done.output


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, keras: Any) -> Path:
    """One network as each kind of file of Keras and TensorFlow."""
    import tensorflow as tf

    folder = tmp_path_factory.mktemp("files")
    pixels = keras.Input((12, 10, 3), name="pixels")
    x = keras.layers.Dense(4, name="logits")(keras.layers.Flatten()(pixels))
    model = keras.Model(pixels, x)
    model.save(folder / "net.keras")
    model.save(folder / "net.h5")
    keras.Sequential([keras.layers.Dense(4, input_shape=(6,), name="only")]).save(folder / "seq.h5")
    tf.saved_model.save(model, str(folder / "saved"))
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    samples = np.zeros((1, 12, 10, 3), np.float32)
    converter.representative_dataset = lambda: [[samples]]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the converter's own
        (folder / "net.tflite").write_bytes(converter.convert())
    return folder


@pytest.mark.parametrize("name", ["net.keras", "net.h5", "net.tflite", "saved"])
def test_each_kind_of_file_tells_its_ends(
    files: Path, name: str, tmp_path: Path, draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = model_ends(files / name)
    assert ends.image == (12, 10, 3)
    assert ends.classes == 4
    assert len(ends.inputs) == len(ends.outputs) == 1
    photos = draw(counts=dict.fromkeys("abcd", 8))
    with pytest.raises(CompileError, match=r"its dataset has 3 (classes|labels)"):
        draft_from(tmp_path / "new", draw("three", counts=dict.fromkeys("abc", 8)), files / name)
    draft, told = draft_from(tmp_path / "new", photos, files / name)
    assert any(line.startswith("inputs: ") and "12x10x3" in line for line in told)
    create(tmp_path / "new", draft)
    monkeypatch.chdir(tmp_path / "new")
    config = check_project(Path("config.yaml"), fast=False)
    recipes = ["as-it-is"] if name == "net.tflite" else ["int8", "fp32"]
    assert list(config.recipes) == recipes


def test_a_sequential_model(files: Path) -> None:
    ends = model_ends(files / "seq.h5")
    assert [end.sizes for end in ends.inputs] == [(6,)]
    assert ends.outputs == (End("only", (4,)),)
    assert ends.image is None
