"""What belongs to a model file, and what is wrong with it, told without converting it."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from edgeflow.config.modelbytes import flaw
from edgeflow.config.modelfile import files_of, keras_version
from tests.unit.imported.onnx_models import draw, linear

LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"


def external(path: Path, location: str) -> Path:
    """Write an ONNX file that names another for its weights, with an offset."""
    linear(path)
    model = onnx.load(path)
    weights = model.graph.initializer[0]
    onnx.external_data_helper.set_external_data(weights, location, offset=8, length=2560)
    weights.ClearField("raw_data")
    weights.data_location = onnx.TensorProto.EXTERNAL
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("location", ["mine.onnx.data", "weights/a.bin", "./b.bin"])
def test_weights_in_another_file_belong_to_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, location: str
) -> None:
    monkeypatch.chdir(tmp_path)
    source = external(Path("mine.onnx"), location)
    assert files_of(source) == [source]
    assert f"has its weights in {Path(location)}, which is not there" in flaw(source)
    Path(location).parent.mkdir(exist_ok=True)
    Path(location).write_bytes(bytes(8) + draw(64, 10).tobytes()[:-1])
    assert files_of(source) == [source, Path(location)]
    assert f"{Path(location)} has 2567 of 2568 bytes" in flaw(source)
    Path(location).write_bytes(bytes(8) + draw(64, 10).tobytes())
    assert flaw(source) == ""
    np.testing.assert_array_equal(
        onnx.numpy_helper.to_array(onnx.load(source).graph.initializer[0]), draw(64, 10)
    )
    Path(location).write_text(LFS)
    assert f"{Path(location)} is only a Git LFS pointer" in flaw(source)


def test_weights_named_in_a_node_or_in_a_branch(tmp_path: Path) -> None:
    tensor = onnx.numpy_helper.from_array(draw(64, 10), "c")
    onnx.external_data_helper.set_external_data(tensor, "inner.bin")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    constant = onnx.helper.make_node("Constant", [], ["c"], value=tensor)
    y = onnx.helper.make_tensor_value_info("c", 1, [64, 10])
    branch = onnx.helper.make_graph([constant], "b", [], [y])
    node = onnx.helper.make_node("If", ["yes"], ["y"], then_branch=branch, else_branch=branch)
    graph = onnx.helper.make_graph([node], "g", [], [])
    (tmp_path / "m.onnx").write_bytes(onnx.helper.make_model(graph).SerializeToString())
    (tmp_path / "inner.bin").touch()
    assert files_of(tmp_path / "m.onnx") == [tmp_path / "m.onnx", tmp_path / "inner.bin"]


def test_all_files_of_a_saved_model_belong_to_it_in_linked_folders_too(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/weights").touch()
    (tmp_path / "model").mkdir()
    (tmp_path / "model/saved_model.pb").touch()
    (tmp_path / "model/variables").symlink_to(tmp_path / "elsewhere")
    found = [str(path.relative_to(tmp_path / "model")) for path in files_of(tmp_path / "model")]
    assert found == ["saved_model.pb", "variables/weights"]


@pytest.mark.parametrize("location", ["../out.bin", "/etc/hostname", "a/../../out.bin"])
def test_weights_elsewhere_are_not_read(tmp_path: Path, location: str) -> None:
    (tmp_path / "out.bin").write_bytes(bytes(4000))
    (tmp_path / "in").mkdir()
    source = external(tmp_path / "in/mine.onnx", location)
    assert files_of(source) == [source]
    assert "names weights outside of its folder" in flaw(source)


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    source = external(tmp_path / "mine.onnx", "a.bin")
    (tmp_path / "a.bin").write_bytes(bytes(4000))
    (tmp_path / "b.bin").write_bytes(bytes(4000))
    assert files_of(source)[1:] == [tmp_path / "a.bin"]
    external(source, "b.bin")
    assert files_of(source)[1:] == [tmp_path / "b.bin"]


PAGE = "<!DOCTYPE html><html>not found</html>"
BROKEN: dict[str, tuple[str, Any, str]] = {
    "empty": ("m.tflite", "", "is empty"),
    "git lfs": ("m.onnx", LFS, "is only a Git LFS pointer: run `git lfs pull`"),
    "web page": ("m.keras", PAGE, "is a web page, not a model"),
    "text for tflite": ("m.tflite", "hello hello", "is no .tflite, or is cut off"),
    "cut tflite": ("m.tflite", b"\x20\0\0\0TFL3" + b"\xff" * 40, "is no .tflite, or is cut off"),
    "text for onnx": ("m.onnx", "hello", "is no ONNX model, or is cut off"),
    "text for keras": ("m.h5", "hello", "is no file of Keras, or is cut off"),
}


@pytest.mark.parametrize(("name", "content", "message"), BROKEN.values(), ids=BROKEN)
def test_files_that_are_no_models(tmp_path: Path, name: str, content: Any, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert message in flaw(path)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    assert "No such file" in flaw(tmp_path / "m.onnx")


def test_operators_that_nothing_here_knows(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    linear(path, "FusedMatMul", domain="com.microsoft")
    assert "none of ONNX's own: com.microsoft.FusedMatMul" in flaw(path)
    for opset in (6, 999):
        linear(path, opset=opset)
        assert f"is of opset {opset}, the import reads 7 to" in flaw(path)
    linear(path)
    assert flaw(path) == ""


def test_who_wrote_an_h5_file(tmp_path: Path) -> None:
    import h5py

    for version, major in (("3.15.1", 3), ("2.21.0", 2)):
        with h5py.File(tmp_path / "m.h5", "w") as file:
            file.attrs["keras_version"] = version
        assert keras_version(tmp_path / "m.h5") == major
