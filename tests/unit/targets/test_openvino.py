"""OpenVINO: which recipes it takes as they are, and which it makes again."""

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from edgeflow.artifact.manifest import describe_files, read_manifest
from edgeflow.compress.evaluate import host_outputs
from edgeflow.config.recipe import Recipe
from edgeflow.deploy.runner import EXIT_MISSING
from edgeflow.errors import CompileError
from edgeflow.ondevice.engine_openvino import Engine
from edgeflow.targets.openvino import STEPS, OpenVINO, OpenVINOOptions, _operators
from edgeflow.tasks.classification import Classification
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


def on_device(subject: Subject, **more: Any) -> Engine:
    """Return the engine with the options of the device, where `subject.engine()` has the host's."""
    options = {**subject.runtime.engine_options, **more}
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
        ({"threads": 4, "device": "GPU"}, "`device: GPU` takes none"),
    ],
)
def test_streams_and_threads_that_cannot_be(options: dict[str, Any], said: str) -> None:
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
    assert answer["missing"].endswith("(VCL compiler loading failed, aborting.)")


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


HARSH = {"quantize": "ptq-int8", "calibration": {"method": "percentile", "percentile": 80.0}}
CONTROL = """
import sys
from pathlib import Path
from tests.unit.targets.test_openvino import control
from edgeflow.testing.trained import Trained
print(control(Trained(folder=Path(sys.argv[1])), Path(sys.argv[2])).compiled.facts)
"""


def control(trained: Trained, out: Path, **wanted: Any) -> Subject:
    """Compile a recipe that loses much accuracy for a target that keeps it."""
    section = {"kind": "openvino", "accuracy_control": {"max_drop": 0.02, **wanted}}
    options = OpenVINOOptions.model_validate(section)
    return compiled(trained, "ptq-int8", out, options, recipe=Recipe.model_validate(HARSH))


def test_layers_go_back_to_float_until_accuracy_is_kept(trained: Trained, tmp_path: Path) -> None:
    subject = control(trained, tmp_path / "out")
    facts: Any = subject.compiled.facts["accuracy_control"]
    assert facts["metric"] == "accuracy"
    assert facts["float"] - facts["int8"] > 0.05
    assert facts["float"] - facts["kept"] <= 0.02
    model = (subject.out / "model.xml").read_text()
    assert facts["reverted"]
    assert all(f'name="{name}"' in model for name in facts["reverted"])
    plain = compiled(trained, "ptq-int8", tmp_path / "plain", recipe=Recipe.model_validate(HARSH))
    ended = (plain.out / "model.xml").read_text().count('type="FakeQuantize"')
    assert 0 < model.count('type="FakeQuantize"') < ended, "the others stay in integers"
    classes = trained.logits("none").argmax(axis=1)
    kept, lost = (
        (one.outputs(one.engine()).first.argmax(axis=1) == classes).mean()
        for one in (subject, plain)
    )
    assert kept > lost + 0.05, "on the test set too"

    there = [sys.executable, "-c", CONTROL, str(trained.folder), str(tmp_path / "again")]
    again = subprocess.run(there, capture_output=True, text=True, check=True)
    assert again.stdout.splitlines()[-1] == str(subject.compiled.facts)
    assert describe_files(tmp_path / "again") == describe_files(subject.out)


def test_accuracy_that_cannot_be_kept_is_told(trained: Trained, tmp_path: Path) -> None:
    with pytest.raises(CompileError, match=r"does not reach `max_drop: 0.02`: accuracy .* 1 node"):
        control(trained, tmp_path / "out", max_layers=1)


def test_nothing_goes_back_where_int8_is_good_enough(trained: Trained, tmp_path: Path) -> None:
    section = {"kind": "openvino", "accuracy_control": {"max_drop": 0.5}}
    options = OpenVINOOptions.model_validate(section)
    subject = compiled(trained, "ptq-int8", tmp_path / "out", options)
    facts: Any = subject.compiled.facts["accuracy_control"]
    assert facts["reverted"] == []
    assert facts["kept"] == facts["int8"]
    plain = compiled(trained, "ptq-int8", tmp_path / "plain")
    assert (subject.out / "model.bin").read_bytes() == (plain.out / "model.bin").read_bytes()


def test_the_validation_set_is_read_for_accuracy_control_alone(
    trained: Trained, tmp_path: Path
) -> None:
    asked: dict[str, Any] = {"accuracy_control": {"max_drop": 0.5}}
    for recipe, options, validation in (
        ("ptq-int8", asked, True), ("ptq-int8", {}, False), ("none", asked, False)
    ):  # fmt: skip
        out = tmp_path / f"{recipe}-{validation}"
        made = compile_tiny(trained, "openvino", recipe, out, **options)
        assert ("accuracy_control" in made.facts) == validation
        assert OpenVINO.needs_validation(
            OpenVINOOptions.model_validate({"kind": "openvino", **options})
        ) == (options == asked)


def test_a_metric_that_the_validation_set_cannot_tell(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Classification, "validates", False)
    with pytest.raises(CompileError, match="the validation set of `task: classification`"):
        compile_tiny(trained, "openvino", "ptq-int8", tmp_path, accuracy_control={"max_drop": 0.5})


def test_a_model_is_compiled_once_on_a_device(trained: Trained, tmp_path: Path) -> None:
    options, cache = OpenVINOOptions(kind="openvino", model_cache=True), tmp_path / "net" / "cache"
    subject = compiled(trained, "qat-int8", tmp_path / "out", options)
    wanted = subject.outputs(subject.engine()).first

    def from_cache(place: Path | None) -> Any:
        engine = on_device(subject, cache=place and str(place))
        np.testing.assert_array_equal(subject.outputs(engine).first, wanted)
        return engine.conditions()["loaded_from_cache"]

    assert [from_cache(cache) for _ in range(3)] == [False, True, True]
    (blob,) = cache.iterdir()
    whole = blob.read_bytes()
    for damaged in (whole[:-1], whole[:-1] + bytes([whole[-1] ^ 1]), b"", b"no blob"):
        blob.write_bytes(damaged)
        assert [from_cache(cache) for _ in range(2)] == [False, True], damaged[:9]
    assert list(cache.iterdir()) == [blob]
    # Of another OpenVINO or CPU, which its plug-in does not take: the file is whole.
    foreign = whole.partition(b"\n")[2].replace(b"ov=2", b"ov=1")
    blob.write_bytes(hashlib.sha256(foreign).hexdigest().encode() + b"\n" + foreign)
    assert [from_cache(cache) for _ in range(2)] == [False, True]
    # Where nothing can be kept, it is compiled each time.
    (tmp_path / "file").touch()
    assert not from_cache(tmp_path / "file" / "cache")
    assert not from_cache(None)


def test_auto_keeps_no_compiled_model() -> None:
    with pytest.raises(ValidationError, match="`device: AUTO` cannot export its model"):
        OpenVINOOptions(kind="openvino", device="AUTO", model_cache=True)
