"""What targets say of a .tflite by reading it, against what interpreter and compiler do with it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from edgeflow.cli.app import app
from edgeflow.targets import registry
from edgeflow.targets.base import Lint, parse_options
from edgeflow.targets.coverage import cover
from edgeflow.targets.lint import lint
from tests.tiny_targets.child import Child
from tests.tiny_targets.hosted import Board

TAKEN = ("ABS", "CEIL", "COS", "EXP", "LOG", "LOGISTIC", "NEG", "RSQRT", "SIN", "SQRT", "TANH")
LEFT = ("SIGN", "ZEROS_LIKE")
"""Operators of one input that XNNPACK takes, and some that it leaves."""


def write_chain(path: Path, *steps: str, dtypes: tuple[str, ...] = ("float32",)) -> Path:
    """Write a .tflite of operators of one input, each on what the one before made.

    Args:
        path: the file.
        steps: names of LiteRT's operators, or names that it does not know.
        dtypes: of the input and of what each operator makes; the last one counts for the rest.
    """
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version, model.subgraphs, model.buffers = 3, [graph], [schema.BufferT()]
    graph.tensors, graph.operators, model.operatorCodes = [], [], []
    for place in range(len(steps) + 1):
        tensor, dtype = schema.TensorT(), dtypes[min(place, len(dtypes) - 1)]
        tensor.name, tensor.shape, tensor.buffer = f"t{place}".encode(), [1, 4], 0
        tensor.type = getattr(schema.TensorType, dtype.upper())
        if dtype != "float32":
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale, tensor.quantization.zeroPoint = [0.5], [0]
        graph.tensors.append(tensor)
    for place, step in enumerate(steps):
        code, operator = schema.OperatorCodeT(), schema.OperatorT()
        number = getattr(schema.BuiltinOperator, step, schema.BuiltinOperator.CUSTOM)
        code.builtinCode, code.deprecatedBuiltinCode = number, min(number, 127)
        code.customCode, code.version = None if step.isupper() else step.encode(), 1
        operator.opcodeIndex, operator.inputs, operator.outputs = place, [place], [place + 1]
        model.operatorCodes.append(code)
        graph.operators.append(operator)
    graph.inputs, graph.outputs = [0], [len(steps)]
    flatbuffer_utils.write_model(model, str(path))
    return path


def said(kind: str, model: Path, **options: Any) -> list[Lint]:
    target = registry.get(kind)
    return lint(target, model, parse_options(target, {"kind": kind, **options}))


@pytest.mark.parametrize("step", [*TAKEN, *LEFT])
def test_xnnpack_takes_what_is_not_named(tmp_path: Path, step: str) -> None:
    from ai_edge_litert.interpreter import Interpreter

    model = write_chain(tmp_path / "model.tflite", step)
    interpreter = Interpreter(str(model))
    interpreter.allocate_tensors()
    taken = "DELEGATE" in {each["op_name"] for each in interpreter._get_ops_details()}
    assert taken == (step in TAKEN)
    assert [one.place for one in said("litert", model)] == ([] if taken else [f"{step} at t1"])
    assert said("litert", model, xnnpack=False) == []


def test_operators_are_counted_by_name(tmp_path: Path) -> None:
    model = write_chain(tmp_path / "model.tflite", "ABS", "SIGN", "ZEROS_LIKE", "SIGN")
    assert [str(one) for one in said("litert", model)] == [
        f"note: {place}: XNNPACK does not take this operator, so LiteRT's built-in kernel runs it"
        for place in ("2 SIGN, the first at t2", "ZEROS_LIKE at t3")
    ]


def test_what_stays_float_or_is_wide_in_an_integer_model(tmp_path: Path) -> None:
    mixed = ("int8", "float32", "float32", "int8")
    model = write_chain(
        tmp_path / "mixed.tflite", "DEQUANTIZE", "ABS", "QUANTIZE", "RELU", dtypes=mixed
    )
    (island,) = said("litert", model, xnnpack=False)
    assert (island.severity, island.place) == ("note", "ABS at t2")
    assert "computes in float" in island.message
    (wide,) = said("litert", write_chain(tmp_path / "wide.tflite", "RELU", dtypes=("int16",)))
    assert (wide.place, "int16" in wide.message) == ("RELU at t1", True)


@pytest.mark.parametrize("step", ["Frob", "FlexErf", "RELU_N1_TO_1"])
def test_what_cannot_be_compiled_is_a_warning(tmp_path: Path, step: str) -> None:
    import openvino
    from ai_edge_litert.interpreter import Interpreter

    model = write_chain(tmp_path / "model.tflite", "ABS", step)
    (finding,) = said("openvino", model)
    assert (finding.severity, finding.place) == ("warning", f"{step} at t2")
    with pytest.raises(RuntimeError, match=f"No translator found for {step}"):
        openvino.Core().read_model(model)
    if step == "RELU_N1_TO_1":
        assert said("litert", model) == []
        return
    (lacking,) = said("litert", model, xnnpack=False)
    assert (lacking.severity, lacking.place) == ("warning", f"{step} at t2")
    with pytest.raises((RuntimeError, ValueError), match=step):
        Interpreter(str(model)).allocate_tensors()


@pytest.mark.parametrize("kind", ["edgetpu", "litert", "openvino"])
def test_a_file_that_is_no_model_says_nothing(tmp_path: Path, kind: str) -> None:
    (tmp_path / "model.tflite").write_bytes(b"\x1c\x00\x00\x00TFL3" + b"\x00" * 8)
    assert said(kind, tmp_path / "model.tflite") == []
    assert said(kind, tmp_path / "none.tflite") == []


def test_a_target_warns_of_its_budget(tmp_path: Path) -> None:
    model = write_chain(tmp_path / "model.tflite", "ABS")
    size = model.stat().st_size
    small, large = (
        parse_options(Child, {"kind": "tiny-child", "flash_bytes": b}) for b in (size - 1, size)
    )
    assert lint(Child, model, large) == []
    (finding,) = lint(Child, model, small)
    assert (finding.severity, f"{size:,} bytes" in finding.message) == ("warning", True)


def test_a_target_that_judges_no_operators_says_so(tmp_path: Path) -> None:
    model = write_chain(tmp_path / "model.tflite", "ABS", "Frob")
    found = cover(Board, model, parse_options(Board, {"kind": Board.name}))
    assert [one.mapped for one in found.operators] == [True, True]
    assert ["does not judge" in one.message for one in found.said] == [True]


def test_check_tells_of_imported_files_once_for_each_target(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_chain(tmp_path / "model.tflite", "ABS", "SIGN")
    np.savez(tmp_path / "x.npz", x=np.eye(4, dtype=np.float32).repeat(20, 0), y=np.arange(80) // 20)
    device = {"transport": "virtual"}
    config = {
        "datasets": {"vectors": {"source": "npz", "path": "x.npz", "calibration": 20}},
        "models": {
            "brought": {"dataset": "vectors", "source": "model.tflite"},
            "own": {"dataset": "vectors", "architecture": {"name": "mlp"}},
        },
        "recipes": {"fp32": {}, "int8": {"quantize": "ptq-int8"}},
        "targets": {"pi": {"kind": "litert"}, "pc": {"kind": "openvino"}},
        "devices": {"a": {"target": "pi", **device}, "b": {"target": "pc", **device}},
        "deployments": [
            {"model": "brought", "recipe": "fp32", "devices": ["a", "b"]},
            {"model": "own", "recipe": "int8", "devices": ["a"]},
        ],
    }
    (tmp_path / "config.yaml").write_text(json.dumps(config))
    done = CliRunner().invoke(app, ["check", "--fast"])
    assert done.exit_code == 0, done.output
    lines = [line for line in done.stderr.splitlines() if "note" in line]
    assert len(lines) == 1
    assert lines[0].startswith("model brought for target pi: note: SIGN at t2: XNNPACK")
