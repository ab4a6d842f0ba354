"""Float networks as ONNX, from the .tflite that the recipes start from."""

from pathlib import Path

import numpy as np
import pytest

from edgeflow.compress.form import flatbuffer_form
from edgeflow.dataset.tensors import Tensors
from edgeflow.errors import CompileError
from edgeflow.exported.onnx import export_onnx
from edgeflow.testing.trained import Trained


@pytest.fixture(scope="module")
def float_model(trained: Trained) -> Path:
    return trained.job("none").float_model


@pytest.mark.parametrize("opset", [11, 17])
def test_a_network_computes_the_same_in_onnx(float_model: Path, opset: int, tmp_path: Path) -> None:
    import onnx
    import onnxruntime

    paths = [tmp_path / name for name in ("one.onnx", "two.onnx")]
    for path in paths:
        export_onnx(float_model, path, opset)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    model = onnx.load(paths[0])
    assert [each.version for each in model.opset_import if each.domain == ""] == [opset]
    session = onnxruntime.InferenceSession(paths[0], providers=["CPUExecutionProvider"])
    (end,) = session.get_inputs()
    sample = np.random.default_rng(0).random(end.shape, np.float32)
    (expected,) = flatbuffer_form(float_model.read_bytes()).outputs(Tensors({"x": sample}))
    np.testing.assert_allclose(session.run(None, {end.name: sample})[0], expected, atol=1e-5)


def test_what_is_no_network_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.tflite").write_bytes(b"TFL3")
    with pytest.raises(CompileError, match=r"bad\.tflite is no \.tflite"):
        export_onnx(tmp_path / "bad.tflite", tmp_path / "out.onnx", 17)
    assert not (tmp_path / "out.onnx").exists()
