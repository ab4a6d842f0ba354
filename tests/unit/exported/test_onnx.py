"""Float networks as ONNX, from the .tflite that the recipes start from."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgeflow.compress.form import flatbuffer_form
from edgeflow.dataset.tensors import Tensors
from edgeflow.errors import CompileError
from edgeflow.exported.onnx import export_onnx
from edgeflow.testing.trained import Trained
from tests.unit.targets.test_lint import write_chain


@pytest.fixture(scope="module")
def float_model(trained: Trained) -> Path:
    return trained.job("none").float_model


@pytest.mark.parametrize("opset", [11, 17])
def test_a_network_computes_the_same_in_onnx(float_model: Path, opset: int, tmp_path: Path) -> None:
    import onnx
    import onnxruntime

    path = tmp_path / "out.onnx"
    export_onnx(float_model, path, opset)
    model = onnx.load(path)
    assert [each.version for each in model.opset_import if each.domain == ""] == [opset]
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (end,) = session.get_inputs()
    sample = np.random.default_rng(0).random(end.shape, np.float32)
    (expected,) = flatbuffer_form(float_model.read_bytes()).outputs(Tensors({"x": sample}))
    np.testing.assert_allclose(session.run(None, {end.name: sample})[0], expected, atol=1e-5)


def test_it_takes_neither_keras_nor_what_that_imports(float_model: Path, tmp_path: Path) -> None:
    job = {"model": str(float_model), "opset": 17}
    code = (
        "import sys; from pathlib import Path; from edgeflow.exported.onnx_worker import work;"
        f"work({job!r}, Path({str(tmp_path)!r}));"
        "print({'tensorflow', 'keras.src', 'sklearn', 'matplotlib'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("{'tensorflow'}\n")
    export_onnx(float_model, tmp_path / "again.onnx", 17)
    assert (tmp_path / "model.onnx").read_bytes() == (tmp_path / "again.onnx").read_bytes()


def test_what_is_no_network_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.tflite").write_bytes(b"TFL3")
    with pytest.raises(CompileError, match=r"bad\.tflite is no \.tflite"):
        export_onnx(tmp_path / "bad.tflite", tmp_path / "out.onnx", 17)
    assert not (tmp_path / "out.onnx").exists()


def _chain(folder: Path, *steps: str, tanh: bool = False) -> Path:
    """Write a chain of operators; GELU gets its form."""
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    path = write_chain(folder / "chain.tflite", *steps)
    model = flatbuffer_utils.read_model(str(path))
    for step, operator in zip(steps, model.subgraphs[0].operators, strict=True):
        if step == "GELU":
            operator.builtinOptionsType = schema.BuiltinOptions.GeluOptions
            operator.builtinOptions = schema.GeluOptionsT()
            operator.builtinOptions.approximate = tanh
    flatbuffer_utils.write_model(model, str(path))
    return path


@pytest.mark.parametrize("opset", [11, 17])
@pytest.mark.parametrize(("step", "tanh"), [("GELU", 0), ("GELU", 1), ("RELU_N1_TO_1", 0)])
def test_what_tf2onnx_leaves_is_spelled_out(
    step: str, tanh: int, opset: int, tmp_path: Path
) -> None:
    import onnxruntime
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    path = _chain(tmp_path, step, step, tanh=bool(tanh))
    export_onnx(path, tmp_path / "out.onnx", opset)
    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(str(path), experimental_op_resolver_type=plain)
    interpreter.allocate_tensors()
    session = onnxruntime.InferenceSession(tmp_path / "out.onnx")
    for x in np.linspace(-6, 6, 40, dtype=np.float32).reshape(10, 1, 4):
        interpreter.set_tensor(0, x)
        interpreter.invoke()
        (found,) = session.run(None, {"t0": x})
        np.testing.assert_allclose(found, interpreter.get_tensor(2), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("steps", "named", "hint"),
    [
        (("SVDF", "ABS", "SVDF"), "SVDF", "use another operator"),
        (("UNIDIRECTIONAL_SEQUENCE_LSTM",), "UNIDIRECTIONAL_SEQUENCE_LSTM", "`unroll=True`"),
    ],
)
def test_operators_without_a_form_in_onnx_are_told_in_one_line(
    steps: tuple[str, ...], named: str, hint: str, tmp_path: Path
) -> None:
    with pytest.raises(CompileError) as caught:
        export_onnx(_chain(tmp_path, *steps), tmp_path / "out.onnx", 17)
    assert caught.value.args[0].endswith(f"ONNX has no form of {named}")
    assert hint in str(caught.value.hint)
