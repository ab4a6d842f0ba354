"""OpenVINO: which recipes it takes as they are, and which it makes again."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from edgeflow.artifact.manifest import read_manifest
from edgeflow.compress.evaluate import host_outputs
from edgeflow.config.recipe import Recipe
from edgeflow.deploy.runner import EXIT_MISSING
from edgeflow.ondevice.engine_openvino import Engine
from edgeflow.targets.openvino import STEPS, OpenVINO, OpenVINOOptions, _operators
from edgeflow.testing.subject import Subject
from edgeflow.testing.trained import Trained
from tests.unit.packed import compile_tiny, members, pack_tiny, unpack

OPTIONS = OpenVINOOptions(kind="openvino")


def compiled(
    trained: Trained, name: str, out: Path, options: OpenVINOOptions = OPTIONS, **job: Any
) -> Subject:
    out.mkdir()
    made = OpenVINO.compile(replace(trained.job(name), **job), options, out)
    return Subject(
        recipe=name,
        trained=trained,
        options=options.model_dump(),
        runtime=OpenVINO.runtime(options),
        compiled=made,
        out=out,
    )


def on_device(subject: Subject) -> Engine:
    """Return the engine with the options of the device, where `subject.engine()` has the host's."""
    options = dict(subject.runtime.engine_options)
    return Engine(str(subject.out), {"model": subject.compiled.model, **options})


@pytest.mark.parametrize("recipe", ["qat-int8", "keep-float", "uint8"])
def test_an_int8_model_answers_as_in_litert(trained: Trained, recipe: str, tmp_path: Path) -> None:
    # NNCF makes all of ptq-int8 again; what was trained with rounding stays as it is.
    job: dict[str, Any] = (
        {"recipe": Recipe(quantize="qat-int8", io="uint8")} if recipe == "uint8" else {}
    )
    subject = compiled(trained, recipe, tmp_path / "out", **job)
    engine = subject.engine()
    io = engine.io()
    assert io["inputs"][0]["dtype"] == io["outputs"][0]["dtype"] == ("uint8" if job else "int8")
    step = io["outputs"][0]["scale"]
    assert step > 0
    answers = (subject.outputs(engine).first - np.float32(io["outputs"][0]["zero_point"])) * step
    wanted = trained.logits(recipe)
    # Not to the step: weights that could overflow are rounded once more.
    assert np.abs(answers - wanted).mean() <= step
    assert (answers.argmax(axis=1) == wanted.argmax(axis=1)).mean() >= 0.97
    assert subject.compiled.tolerances == (STEPS * step,)
    assert subject.compiled.facts["rescaled_channels"]


def test_what_nncf_can_make_it_makes_again(trained: Trained, tmp_path: Path) -> None:
    subject = compiled(trained, "ptq-int8", tmp_path / "out")
    assert subject.engine().io()["outputs"][0]["dtype"] == "float32"
    assert subject.compiled.tolerances is None


def test_percentiles_reach_nncf(trained: Trained, tmp_path: Path) -> None:
    calibration = {"method": "percentile", "percentile": 80.0}
    recipe = Recipe.model_validate({"quantize": "ptq-int8", "calibration": calibration})
    harsh = compiled(trained, "percentile", tmp_path / "harsh", recipe=recipe)
    plain = compiled(trained, "ptq-int8", tmp_path / "plain")
    reference = trained.logits("none")
    worse, better = (np.abs(s.outputs(s.engine()).first - reference).mean() for s in (harsh, plain))
    assert worse > 2 * better


def test_the_device_is_held_to_steps_of_the_output(trained: Trained, tmp_path: Path) -> None:
    (output,) = compile_tiny(trained, "openvino", "qat-int8", tmp_path).facts["io"]["outputs"]
    assert output["tolerance"] == STEPS * output["scale"]
    pack_tiny(trained, "openvino", "qat-int8", tmp_path)
    packed = members(tmp_path / "bundle.tar")
    assert json.loads(packed["manifest.json"])["io"]["outputs"] == [output]
    assert "model/quantization.json" in packed


def test_floats_have_the_tolerance_of_the_runtime(trained: Trained, tmp_path: Path) -> None:
    (output,) = compile_tiny(trained, "openvino", "none", tmp_path).facts["io"]["outputs"]
    assert output["tolerance"] == OpenVINO.runtime(OPTIONS).tolerance
    flatbuffer = (trained.recipe("none") / "model.tflite").read_bytes()
    reference = host_outputs(flatbuffer, trained.view().tensors("test"))
    outputs = np.load(tmp_path / "reference/output.npy")
    assert np.abs(outputs - reference).max() <= output["tolerance"]


def test_an_engine_without_scales_beside_its_model_is_float(
    trained: Trained, tmp_path: Path
) -> None:
    subject = compiled(trained, "none", tmp_path / "out")
    engine = on_device(subject)
    assert {engine.io()[side][0]["scale"] for side in ("inputs", "outputs")} == {0.0}


def test_auto_takes_the_cpu_where_there_is_nothing_else(trained: Trained, tmp_path: Path) -> None:
    import openvino

    if openvino.Core().available_devices != ["CPU"]:
        pytest.skip("AUTO has a choice on this machine")
    options = OpenVINOOptions(kind="openvino", device="AUTO", threads=2)
    subject = compiled(trained, "qat-int8", tmp_path / "out", options)
    assert subject.compiled.operators.keys() == {"auto"}
    assert subject.runtime.host_engine_options["device"] == "CPU"
    engine = on_device(subject)
    assert engine.conditions() == {"execution_devices": ["CPU"]}
    # With the same settings as the CPU by its name, so with the very bytes.
    properties = engine._compiled.get_property("DEVICE_PROPERTIES")["CPU"]
    assert properties["INFERENCE_NUM_THREADS"] == 2
    found, wanted = (subject.outputs(one).first for one in (engine, subject.engine()))
    np.testing.assert_array_equal(found, wanted)


def test_streams_give_the_same_answers_and_a_throughput(trained: Trained, tmp_path: Path) -> None:
    options = OpenVINOOptions(kind="openvino", threads=2, performance_hint="throughput", streams=2)
    subject = compiled(trained, "none", tmp_path / "out", options)
    assert subject.runtime.figures is None, "all that it has"
    engine = on_device(subject)
    assert engine.figures() == {}, "nothing ran yet"
    found, wanted = (subject.outputs(one).first for one in (engine, subject.engine()))
    np.testing.assert_array_equal(found, wanted)
    assert engine.conditions() == {"execution_devices": ["CPU"], "parallel_inferences": 2}
    assert engine.figures()["throughput_per_s"] > 0
    assert subject.engine().figures() == {}
    assert OpenVINO.runtime(OPTIONS).figures == frozenset()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"streams": 2}, "`streams` are for `performance_hint: throughput`"),
        ({"streams": 2, "performance_hint": "throughput"}, "set `threads: 2`"),
        ({"streams": 1, "performance_hint": "throughput", "device": "AUTO"}, "`device: AUTO`"),
    ],
)
def test_streams_that_cannot_be(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        OpenVINOOptions(kind="openvino", **options)


def test_hardware_that_is_not_there_is_told_with_what_is(trained: Trained, tmp_path: Path) -> None:
    import openvino

    if "NPU" in openvino.Core().available_devices:
        pytest.skip("this machine has an NPU")
    compile_tiny(trained, "openvino", "none", tmp_path, device="NPU")
    assert read_manifest(tmp_path / "compile.json").facts["operators"].keys() == {"npu"}
    pack_tiny(trained, "openvino", "none", tmp_path, device="NPU")
    release = unpack(tmp_path / "bundle.tar", tmp_path / "release")
    done = subprocess.run(
        [sys.executable, "-B", str(release / "runner.py"), "golden"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == EXIT_MISSING
    answer = json.loads(done.stdout)
    assert answer["hardware"]
    assert "OpenVINO finds no device NPU, only CPU" in answer["missing"]
    assert "(VCL compiler loading failed" in answer["missing"]


def test_operators_that_constants_decide_do_not_run() -> None:
    import openvino
    from openvino import opset13 as ops

    weights = ops.convert(ops.constant(np.ones((4, 4), np.int8)), "f32")
    inputs = ops.parameter([1, 4], np.float32)
    model = openvino.Model([ops.relu(ops.matmul(inputs, weights, False, False))], [inputs])
    assert _operators(model) == 2


def test_layers_are_those_of_the_file(trained: Trained, tmp_path: Path) -> None:
    subject = compiled(trained, "ptq-int8", tmp_path / "out")
    layers = subject.engine().profile(np.zeros((2, 8, 8, 1), np.float32))
    convolutions = [layer for layer in layers if layer["type"] == "Convolution"]
    text = (subject.out / "model.xml").read_text()
    assert len(convolutions) == text.count('type="Convolution"') > 1
    assert all(f'name="{layer["name"]}"' in text for layer in convolutions)
    assert any("8" in layer["kernel"] for layer in convolutions), "some in integers"
