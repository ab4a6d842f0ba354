"""ONNX files, converted in the toolchain that edgeflow builds for them."""

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeflow.compress.build import compress_model
from edgeflow.dataset.build import build_dataset
from edgeflow.dataset.view import open_dataset
from edgeflow.errors import CompileError, MissingToolError
from edgeflow.imported.build import import_model
from edgeflow.toolchain import ONNX

MAKE = """\
import sys
import numpy as np, onnx, onnxruntime
from onnx import TensorProto, helper, numpy_helper

path, layout, channels, samples, outputs = sys.argv[1:]
channels, draw = int(channels), np.random.default_rng(0).normal
shapes = {"w1": (8, channels, 3, 3), "b1": (8,), "w2": (10, 128), "b2": (10,)}
weights = [
    numpy_helper.from_array(draw(0, 0.2, shape).astype(np.float32), name)
    for name, shape in shapes.items()
]
first, start = ([], "input")
if layout == "last":
    first, start = ([helper.make_node("Transpose", ["input"], ["x"], perm=[0, 3, 1, 2])], "x")
nodes = [
    *first,
    helper.make_node("Conv", [start, "w1", "b1"], ["c"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    helper.make_node("Relu", ["c"], ["r"]),
    helper.make_node("MaxPool", ["r"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
    helper.make_node("Flatten", ["p"], ["f"]),
    helper.make_node("Gemm", ["f", "w2", "b2"], ["logits"], transB=1),
]
shape = ["n", 8, 8, channels] if layout == "last" else ["n", channels, 8, 8]
value = helper.make_tensor_value_info
graph = helper.make_graph(
    nodes,
    "net",
    [value("input", TensorProto.FLOAT, shape)],
    [value("logits", TensorProto.FLOAT, ["n", 10])],
    weights,
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
onnx.checker.check_model(model)
onnx.save(model, path)
x = np.load(samples)
x = x if layout == "last" else np.ascontiguousarray(x.transpose(0, 3, 1, 2))
np.save(outputs, onnxruntime.InferenceSession(path).run(None, {"input": x})[0])
"""


@pytest.fixture(scope="session")
def python() -> Path:
    """The toolchain's interpreter; building it takes a minute and 2.5 GB."""
    try:
        return ONNX.python()
    except MissingToolError as error:
        pytest.skip(f"{error.message}; with a network, this test builds it")


def colours(folder: Path) -> dict[str, Any]:
    """Return a dataset of three colours, as files of their own."""
    draw = np.random.default_rng(0)
    y = np.arange(300) % 10
    x = draw.integers(0, 256, (300, 8, 8, 3)).astype(np.uint8)
    np.savez(folder / "data.npz", x=x, y=y)
    return {"source": "npz", "path": str(folder / "data.npz"), "calibration": 20}


@pytest.mark.parametrize(("layout", "channels"), [("first", 1), ("first", 3), ("last", 3)])
def test_an_onnx_file_gives_the_same_outputs(
    python: Path, tmp_path: Path, layout: str, channels: int
) -> None:
    digits = {"source": "digits", "limit": 300, "calibration": 20}
    dataset = digits if channels == 1 else colours(tmp_path)
    build_dataset("data", dataset, "0", tmp_path / "data")
    view = open_dataset(tmp_path / "data", ("test",))
    source, outputs = tmp_path / "mine.onnx", tmp_path / "y.npy"
    np.save(tmp_path / "x.npy", view.inputs("test"))
    arguments = [str(source), layout, str(channels), str(tmp_path / "x.npy"), str(outputs)]
    subprocess.run([str(python), "-c", MAKE, *arguments], check=True)
    given = source.read_bytes()

    manifest = import_model("mine", view.folder, source, {"kind": "onnx"}, "0", tmp_path / "float")
    assert source.read_bytes() == given
    assert "toolchain" in manifest.inputs
    wanted = np.load(outputs)
    np.testing.assert_allclose(np.load(tmp_path / "float/logits.npy"), wanted, atol=1e-4)
    options = {"recipe": {"quantize": "ptq-int8"}}
    compress_model("mine", view.folder, tmp_path / "float", options, "0", tmp_path / "int8")
    error = np.abs(np.load(tmp_path / "int8/logits.npy") - wanted).mean()
    assert error < 0.05 * np.abs(wanted).max()


def test_an_onnx_file_of_another_shape_says_so(python: Path, tmp_path: Path) -> None:
    build_dataset("data", {"source": "digits", "limit": 300}, "0", tmp_path / "data")
    source = tmp_path / "mine.onnx"
    np.save(tmp_path / "x.npy", np.zeros((1, 8, 8, 3), np.float32))
    arguments = [str(source), "first", "3", str(tmp_path / "x.npy"), str(tmp_path / "y.npy")]
    subprocess.run([str(python), "-c", MAKE, *arguments], check=True)
    with pytest.raises(CompileError, match=r"shape \[3, 8, 8\], the dataset has \(8, 8, 1\)"):
        import_model("mine", tmp_path / "data", source, {"kind": "onnx"}, "0", tmp_path / "float")
    source.write_bytes(b"hello")
    with pytest.raises(CompileError, match="cannot be converted"):
        import_model("mine", tmp_path / "data", source, {"kind": "onnx"}, "0", tmp_path / "float")
