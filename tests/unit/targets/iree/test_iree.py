"""IREE's own words reach the user where it does not take a network, or LLVM not a CPU."""

from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper
from pydantic import ValidationError

from edgeflow.errors import CompileError
from edgeflow.targets.iree import IREE, IREEOptions
from edgeflow.targets.iree.iree_worker import first_error
from edgeflow.targets.worker import Worker
from tests.unit.targets.test_lint import write_chain

JOB = {"arch": "riscv64", "cpu": "generic-rv64", "features": "", "operators": 1}


def model_of(operator: str, path: Path, length: int | str = 4) -> Path:
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, length]) for name in "xy"]
    graph = helper.make_graph(
        [helper.make_node(operator, ["x"], ["y"])], "net", *([e] for e in ends)
    )
    imported = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=imported, ir_version=8), path)
    return path


def refusal(job: dict[str, Any], model: Path, out: Path) -> str:
    worker = Worker(title="boards", toolchain=IREE.toolchain(IREEOptions(kind="iree")))
    with pytest.raises(CompileError) as caught:
        worker.run(job, {"model.onnx": model}, out, hint="")
    assert list(out.iterdir()) == []
    assert caught.value.hint
    return str(caught.value)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"cpu": "k210"}, "iree-compile: 'k210' is not a recognized processor"),
        ({"features": "+vectors"}, "iree-compile: '+vectors' is not a recognized feature"),
    ],
)
def test_a_cpu_that_llvm_does_not_know_is_refused(
    changed: dict[str, str], message: str, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    model = model_of("Relu", tmp_path / "model.onnx")
    assert message in refusal({**JOB, **changed}, model, tmp_path / "out")


@pytest.mark.parametrize(
    ("operator", "length", "message"),
    [
        ("StringNormalizer", 4, "iree-compile: operator StringNormalizer: failed to legalize"),
        ("Identity", 4, "is an input as it came"),
        ("Relu", "n", "has hal.buffer_view.dim, which is no fixed step"),
    ],
)
def test_a_network_that_iree_does_not_take_is_refused(
    operator: str, length: int | str, message: str, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    model = model_of(operator, tmp_path / "model.onnx", length)
    assert message in refusal(JOB, model, tmp_path / "out")


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (
            "a warning\nmodel.mlir:1:2: error: no such operator\nnote: it\nerror: b",
            "no such operator",
        ),
        ("Traceback\n  File x\nValueError: bad file\n\n", "ValueError: bad file"),
        ("", "exit code 7"),
    ],
)
def test_the_first_error_of_a_tool_is_the_reason(said: str, reason: str) -> None:
    assert first_error(said, 7) == reason


def test_operators_that_fix_no_steps_are_named(tmp_path: Path) -> None:
    model = tmp_path / "model.tflite"
    write_chain(model, "RELU", "WHERE", "SVDF")
    options = IREEOptions(kind="iree")
    assert [(one.operators, one.message) for one in IREE.lint(model, options)] == [
        ((2,), "ONNX (opset 17) has no form of this operator"),
        ((1,), "only networks of fixed steps and sizes are compiled"),
    ]


@pytest.mark.parametrize(
    "options",
    [
        {"arch": "armv7l"},
        {"cpu": "-o x"},
        {"cpu": "host"},
        {"features": ["v"]},
        {"arch": "riscv64", "cpu": "cortex-a72"},
    ],
)
def test_options_are_names_of_cpus(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        IREEOptions.model_validate({"kind": "iree", **options})
