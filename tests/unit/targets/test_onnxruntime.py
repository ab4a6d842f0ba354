"""ONNX Runtime: int8 against the recipe's own, providers that are missing, operators of ONNX."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from edgeflow.artifact.cpu import overflows
from edgeflow.bundle.pack import pack_bundle
from edgeflow.exported.operators import BY_TF2ONNX
from edgeflow.ondevice import engine_onnxruntime, facts
from edgeflow.ondevice.engine_onnxruntime import Engine
from edgeflow.ondevice.runner import EX_UNAVAILABLE
from edgeflow.targets.onnxruntime import STEPS, ONNXRuntime, ONNXRuntimeOptions
from edgeflow.testing.subject import Subject
from edgeflow.testing.trained import Trained
from tests.unit.packed import compile_tiny, target_options, unpack
from tests.unit.targets.test_lint import said, write_chain

WITHOUT_VNNI = overflows("x86_64", facts.instruction_sets())
"""Whether the kernels here give wrong sums with weights of 8 bits; those of 7 are less exact."""
ON_CPU = {"model": "model.onnx", "threads": 1, "provider": engine_onnxruntime.CPU}


@pytest.fixture(scope="module")
def int8(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Subject:
    options = ONNXRuntimeOptions(kind="onnxruntime", overflow_fix=WITHOUT_VNNI)
    out = tmp_path_factory.mktemp("int8")
    made = ONNXRuntime.compile(trained.job("ptq-int8"), options, out)
    return Subject(
        recipe="ptq-int8",
        trained=trained,
        options=options.model_dump(),
        runtime=ONNXRuntime.runtime(options),
        compiled=made,
        out=out,
    )


def test_int8_is_as_near_to_the_float_network_as_litert_is(int8: Subject) -> None:
    answers, reference = int8.outputs(int8.engine()).first, int8.trained.logits("none")
    theirs = int8.trained.logits("ptq-int8")
    errors = [np.abs(found - reference).mean() for found in (answers, theirs)]
    assert errors[0] <= (3.0 if WITHOUT_VNNI else 1.5) * errors[1]


def test_the_file_is_one_of_opset_17_whose_versions_are_fixed(int8: Subject) -> None:
    model = onnx.load(int8.out / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert {one.version for one in model.opset_import if not one.domain} == {17}
    assert (model.ir_version, model.producer_name) == (8, "onnx.quantize")
    assert int8.compiled.operators == {"cpu": int8.engine().operators()}


def test_the_device_is_held_to_steps_of_the_output(int8: Subject) -> None:
    (tolerance,) = int8.compiled.tolerances or ()
    scores = int8.outputs(int8.engine()).first
    step = np.diff(np.unique(scores)).min()
    assert tolerance == pytest.approx(STEPS * step, rel=1e-3)


def test_the_options_name_providers_that_onnxruntime_knows() -> None:
    known = ONNXRuntimeOptions.model_json_schema()["properties"]["provider"]["enum"]
    assert set(known) <= set(onnxruntime.get_all_providers())


def test_a_provider_that_is_not_installed_is_told(int8: Subject) -> None:
    asked = {**ON_CPU, "provider": "CUDAExecutionProvider"}
    with pytest.raises(ImportError, match="has only .*CPUExecutionProvider, not CUDA"):
        Engine(str(int8.out), asked)


def test_a_provider_whose_library_is_missing_is_told(
    int8: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    # onnxruntime-gpu without CUDA says that it has the provider, and goes on with the CPU.
    provider = "CUDAExecutionProvider"
    session = onnxruntime.InferenceSession

    def opened(path: str, options: Any, providers: list[str]) -> Any:
        assert providers == [provider, engine_onnxruntime.CPU]
        return session(path, options, providers=providers[1:])

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [provider])
    monkeypatch.setattr(onnxruntime, "InferenceSession", opened)
    with pytest.raises(ImportError, match="could load only CPUExecutionProvider"):
        Engine(str(int8.out), {**ON_CPU, "provider": provider})


def test_each_node_of_the_graph_that_ran_has_a_time(int8: Subject) -> None:
    layers = int8.engine().profile(int8.trained.view().inputs("test")[:3])
    types = [layer["type"] for layer in layers]
    assert types.count("QLinearConv") == 5
    assert {layer["kernel"] for layer in layers} == {engine_onnxruntime.CPU}
    assert all(layer["time_us"] >= 0 for layer in layers)
    assert len({layer["name"] for layer in layers}) == len(layers)


def test_times_are_means_without_the_first_run() -> None:
    def event(name: str, time_us: float, cat: str = "Node") -> dict[str, Any]:
        args = {"op_name": name.title(), "provider": "P"}
        return {"cat": cat, "name": name + engine_onnxruntime.KERNEL, "dur": time_us, "args": args}

    runs = [event("conv", 90.0), event("add", 9.0), event("other", 1.0, "Session")]
    runs += [event(name, time_us) for time_us in (2.0, 4.0) for name in ("conv", "add")]
    assert engine_onnxruntime.means(runs, 2) == [
        {"name": name, "type": name.title(), "kernel": "P", "time_us": 3.0}
        for name in ("conv", "add")
    ]


def test_a_device_without_the_provider_says_so(trained: Trained, tmp_path: Path) -> None:
    compile_tiny(trained, "onnxruntime", "ptq-int8", tmp_path)
    said = {}
    for provider in (engine_onnxruntime.CPU, "CUDAExecutionProvider"):
        target = target_options("onnxruntime", provider=provider)
        slice_ = {"model": "tiny", "recipe": "ptq-int8", "target": target}
        pack_bundle("tiny", trained.dataset, tmp_path, slice_, "0", tmp_path)
        release = unpack(tmp_path / "bundle.tar", tmp_path / provider)
        command = [sys.executable, "-B", str(release / "runner.py"), "golden"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        said[provider] = (done.returncode, json.loads(done.stdout))
    code, answer = said.pop(engine_onnxruntime.CPU)
    assert (code, answer["passed"]) == (0, True)
    ((code, answer),) = said.values()
    assert code == EX_UNAVAILABLE
    assert "not CUDAExecutionProvider: install the package with it" in answer["missing"]


def test_operators_without_a_form_in_onnx_are_named(tmp_path: Path) -> None:
    model = write_chain(tmp_path / "model.tflite", "ABS", "SVDF", "MyOwn")
    found = said("onnxruntime", model)
    assert [one.place.partition(" ")[0] for one in found] == ["SVDF", "MyOwn"]
    assert [one.operators for one in found] == [(1,), (2,)]


def test_the_operators_are_those_that_tf2onnx_registers() -> None:
    import tf2onnx.convert
    from tf2onnx.handler import tf_op, tfl_op

    assert tf2onnx.convert

    sets = {d: v for d, v in tf_op.get_opsets().items() if d in ("", "com.google.tensorflow")}
    names = {name for versions in sets.values() for one in versions[:18] for name in one or ()}
    by_others = {
        name: entry[1]["tf_op"]
        for name, entry in tfl_op.create_tfl_to_tf_mapping().items()
        if entry[1].get("tf_op")
    }
    own = {name for name in names if name.startswith("TFL_")}
    usable = {name for name in own if by_others.get(name, name) in names}
    assert {name.removeprefix("TFL_") for name in usable} == BY_TF2ONNX
