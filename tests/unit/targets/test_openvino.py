"""OpenVINO: which recipes it takes as they are, and which it makes again."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeflow.compress.evaluate import host_outputs
from edgeflow.config.recipe import Recipe
from edgeflow.ondevice.engine_openvino import Engine
from edgeflow.targets.openvino import STEPS, OpenVINO, OpenVINOOptions
from edgeflow.testing.subject import Subject
from edgeflow.testing.trained import Trained
from tests.unit.packed import compile_tiny, members, pack_tiny

OPTIONS = OpenVINOOptions(kind="openvino")


def compiled(trained: Trained, name: str, out: Path, **job: Any) -> Subject:
    out.mkdir()
    made = OpenVINO.compile(replace(trained.job(name), **job), OPTIONS, out)
    return Subject(
        recipe=name,
        trained=trained,
        options=OPTIONS.model_dump(),
        runtime=OpenVINO.runtime(OPTIONS),
        compiled=made,
        out=out,
    )


@pytest.mark.parametrize("recipe", ["qat-int8", "keep-float", "uint8"])
def test_an_int8_model_answers_as_in_litert(trained: Trained, recipe: str, tmp_path: Path) -> None:
    # NNCF makes all of ptq-int8 again; what was trained with rounding stays as it is.
    job = {"recipe": Recipe(quantize="qat-int8", io="uint8")} if recipe == "uint8" else {}
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
    compiled(trained, "none", tmp_path / "out")
    engine = Engine(str(tmp_path / "out"), {"model": "model.xml", "device": "CPU", "threads": 1})
    assert {engine.io()[side][0]["scale"] for side in ("inputs", "outputs")} == {0.0}
