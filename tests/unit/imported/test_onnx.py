"""ONNX files, from the file to the recipes, as Snakemake imports them: by relative paths."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from edgeflow.compress.build import compress_model
from edgeflow.config.samples import Affine
from edgeflow.dataset.build import build_dataset
from edgeflow.dataset.tensors import stored
from edgeflow.dataset.view import DatasetFacts, DatasetView, InputFacts, open_dataset
from edgeflow.errors import CompileError
from edgeflow.imported import from_onnx
from edgeflow.imported.build import import_model
from edgeflow.imported.model import Request
from tests.unit.imported.onnx_models import draw, linear, save

pytestmark = pytest.mark.filterwarnings("ignore:Statistics for quantized inputs:UserWarning")


@pytest.fixture
def colours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DatasetView:
    """A dataset of three colours at data/, from the working directory."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (200, 8, 9, 3)).astype(np.uint8)
    np.savez("data.npz", x=x, y=np.arange(200) % 10)
    slice_ = {"source": "npz", "path": "data.npz", "calibration": 20}
    build_dataset("data", slice_, "0", Path("data"))
    return open_dataset(Path("data"), ("test", "validation"))


def real(path: Path) -> Path:
    """Write what real files bring together: two outputs, free sizes, odd names, weights beside."""
    nodes = [
        helper.make_node("Conv", ["x@0", "w@0"], ["c:0"], "Conv@0", kernel_shape=[3, 3]),
        helper.make_node("Relu", ["c:0"], ["r"], "Relu@0"),
        helper.make_node("GlobalAveragePool", ["r"], ["p"]),
        helper.make_node("Conv", ["p", "w@1"], ["logits@0"], "Conv@1", kernel_shape=[1, 1]),
        helper.make_node("Softmax", ["logits@0"], ["odds@0"], "Softmax@0", axis=1),
        helper.make_node("ReduceMax", ["c:0"], ["most"], keepdims=0),
    ]
    weights = {"w@0": draw(8, 3, 3, 3), "w@1": draw(10, 8, 1, 1)}
    free = ["n", None, None, None]
    ends = ({"x@0": ["n", 3, "h", "w"]}, {"odds@0": free, "most": []})
    save(path, nodes, ends, weights)
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="w.bin", size_threshold=0)
    return path


def wanted(x: Any) -> Any:
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))
    maps = np.einsum("nhwcij,ocij->nhwo", windows, draw(8, 3, 3, 3))
    return np.maximum(maps, 0).mean(axis=(1, 2)) @ draw(10, 8, 1, 1)[:, :, 0, 0].T


def test_a_file_as_they_are_in_the_wild(colours: DatasetView) -> None:
    source = real(Path("mine.onnx"))
    given, slice_ = source.read_bytes(), {"kind": "onnx"}
    with pytest.raises(CompileError, match=r"mine.onnx: output 'most' has shape \(\)"):
        import_model("mine", Path("data"), source, slice_, "0", Path("baseline"))

    chosen = {**slice_, "output": "logits@0"}  # before the softmax
    manifest = import_model("mine", Path("data"), source, chosen, "0", Path("baseline"))
    assert set(manifest.inputs) == {"dataset", "model"}
    assert source.read_bytes() == given
    x = colours.inputs("test")
    np.testing.assert_allclose(np.load("baseline/outputs.npy"), wanted(x), atol=1e-4)
    recipe = {"recipe": {"quantize": "ptq-int8"}}
    compress_model("mine", Path("data"), Path("baseline"), recipe, "0", Path("int8"))
    error = np.abs(np.load("int8/outputs.npy") - wanted(x)).mean()
    assert error < 0.05 * np.abs(wanted(x)).max()
    assert {path.name for path in Path.cwd().iterdir() if path.name.startswith(".")} == set()


def test_an_autoencoder_of_vectors(tmp_path: Path) -> None:
    """MLPerf Tiny's, made small: (n, 640) to (n, 640)."""
    rng = np.random.default_rng(0)
    for part in ("validation", "test"):
        np.save(tmp_path / f"{part}_x.npy", rng.normal(size=(9, 640)).astype(np.float32))
    facts = DatasetFacts(
        labels=["normal", "anomalous"],
        inputs={"input": InputFacts(shape=[640], dtype="float32", preprocess=Affine(scale=1.0))},
        task="anomaly",
        decoding={},
        counts={},
    )
    view = DatasetView(folder=tmp_path, facts=facts)
    nodes = [
        helper.make_node("Gemm", ["input", "w1"], ["h"]),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("Gemm", ["r", "w2"], ["output"]),
    ]
    ends = ({"input": ["n", 640]}, {"output": ["n", 640]})
    weights = {"w1": draw(640, 8), "w2": draw(8, 640)}
    source = save(tmp_path / "ad.onnx", nodes, ends, weights)
    (tmp_path / "out").mkdir()
    model = from_onnx.load(Request(source=source, dataset=view), tmp_path / "out")
    x = view.inputs("test")
    outputs = np.maximum(x @ weights["w1"], 0) @ weights["w2"]
    np.testing.assert_allclose(model.predict(stored(x))[0], outputs, rtol=1e-3, atol=1e-3)


def test_channels_last(colours: DatasetView) -> None:
    nodes = [
        helper.make_node("Transpose", ["input"], ["x"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["x", "w"], ["c"], kernel_shape=[8, 9]),
        helper.make_node("Flatten", ["c"], ["logits"]),
    ]
    ends = ({"input": ["n", 8, 9, 3]}, {"logits": ["n", 10]})
    source = save(Path("mine.onnx"), nodes, ends, {"w": draw(10, 3, 8, 9)}, opset=9)
    import_model("mine", Path("data"), source, {"kind": "onnx"}, "0", Path("baseline"))
    outputs = np.einsum("nhwc,ochw->no", colours.inputs("test"), draw(10, 3, 8, 9))
    np.testing.assert_allclose(np.load("baseline/outputs.npy"), outputs, atol=1e-4)


def test_an_operator_that_cannot_be_converted(colours: DatasetView) -> None:
    nodes = [
        helper.make_node("Flatten", ["input"], ["x"]),
        helper.make_node("Unique", ["x"], ["u"], "Unique@0"),
        helper.make_node("Slice", ["u", "from", "to"], ["s"]),
        helper.make_node("Reshape", ["s", "shape"], ["logits"]),
    ]
    ends = ({"input": ["n", 3, 8, 9]}, {"logits": ["n", 10]})
    weights = {"from": np.array([0]), "to": np.array([10]), "shape": np.array([1, 10])}
    source = save(Path("mine.onnx"), nodes, ends, weights)
    with pytest.raises(CompileError, match="mine: mine.onnx: .*Unique"):
        import_model("mine", Path("data"), source, {"kind": "onnx"}, "0", Path("baseline"))
    assert not Path("baseline").exists()


def test_what_is_no_onnx_is_told_before_anything_is_started(
    colours: DatasetView, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgeflow.imported.conversion.run_worker", None)
    monkeypatch.setattr("edgeflow.artifact.events._LOG", [Path("events.jsonl")])
    linear(Path("mine.onnx"))
    Path("mine.onnx").write_bytes(Path("mine.onnx").read_bytes()[:-40])
    with pytest.raises(CompileError, match="mine.onnx is no ONNX model, or is cut off"):
        import_model("m", Path("data"), Path("mine.onnx"), {"kind": "onnx"}, "0", Path("baseline"))
    event = json.loads(Path("events.jsonl").read_text().splitlines()[-1])
    assert (event["step"], event["exit_code"]) == ("import", 7), "`edgeflow run` ends with it"
