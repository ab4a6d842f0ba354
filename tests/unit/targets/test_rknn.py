"""RKNN: worker and engine over stand-ins, and the toolkit itself where it may be installed."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from edgeflow.errors import CompileError
from edgeflow.ondevice.engine_rknn import Engine
from edgeflow.targets.base import CompileInput
from edgeflow.targets.build import reference_engine
from edgeflow.targets.host import run_engine
from edgeflow.targets.rknn import RKNN, RKNNOptions, compilation
from edgeflow.targets.rknn.compilation import STEPS
from edgeflow.targets.worker import Worker
from edgeflow.testing.subject import compile_input
from edgeflow.testing.trained import Trained
from edgeflow.toolchain.base import Toolchain
from tests.rockchip import LITE, TOOLKIT, build_runtime, install, require_toolkit
from tests.unit.packed import compile_tiny


def options_for(**given: Any) -> RKNNOptions:
    return RKNNOptions.model_validate({"kind": "rknn", **given})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"platform": "rk3566", "cores": "core_0"}, "has one core: leave `cores` out"),
        ({"platform": "rk3576", "cores": "core_0_1_2"}, "has 2 cores"),
        ({"platform": "rk3399"}, "Input should be"),
    ],
)
def test_what_the_soc_has_not_is_a_problem_of_the_configuration(
    given: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValidationError, match=said):
        options_for(**given)
    assert options_for(platform="rk3588", cores="core_0_1_2").cores == "core_0_1_2"


# -- the worker, over a stand-in of the toolkit in edgeflow's own environment


@pytest.fixture
def own_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(install(tmp_path / "toolkit", "rknn", TOOLKIT)))
    toolchain = Toolchain(worker="edgeflow.targets.rknn.rknn_worker")
    monkeypatch.setattr(RKNN, "toolchain", staticmethod(lambda options: toolchain))


def job_for(trained: Trained, recipe: str) -> CompileInput:
    return compile_input(RKNN, trained, recipe, {"kind": "rknn"}, None)


@pytest.mark.usefixtures("own_python")
def test_a_network_is_quantized_by_the_whole_calibration_set(
    trained: Trained, tmp_path: Path
) -> None:
    manifest = compile_tiny(trained, "rknn", "mse", tmp_path, platform="rk3566")
    facts = manifest.facts
    built = (tmp_path / "compiled/model.rknn").read_text()
    assert built == "rk3566 mmse 100 of [(1, 8, 8, 1)] 255"
    assert facts["operators"] == {"accelerator": 1, "cpu": 1}
    assert facts["figures"] == {"accelerator_share": 0.5, "npu_cycles_estimate": 583}
    assert facts["cpu_operators"] == [{"operator": "Reshape", "name": "Reshape:d"}]
    (source,), (sink,) = facts["io"]["inputs"], facts["io"]["outputs"]
    assert (source["dtype"], sink["dtype"], sink["scale"]) == ("float32", "float32", 0)
    # The stand-in's simulator computes in float what it was given as ONNX.
    reference = np.load(tmp_path / "reference/output.npy")
    np.testing.assert_allclose(reference, trained.logits("none"), atol=1e-4)
    assert sink["tolerance"] == pytest.approx(STEPS * np.ptp(reference) / 255, rel=0.2)


@pytest.fixture
def no_export(monkeypatch: pytest.MonkeyPatch) -> None:
    def write(model: Path, out: Path, opset: int) -> None:
        out.write_bytes(b"ONNX")

    monkeypatch.setattr(compilation, "export_onnx", write)


@pytest.mark.usefixtures("own_python", "no_export")
def test_without_quantization_it_stays_in_float16(trained: Trained, tmp_path: Path) -> None:
    made = RKNN.compile(job_for(trained, "none"), options_for(), tmp_path)
    assert (tmp_path / made.model).read_text() == "rk3588 normal 255"
    assert made.tolerances is None
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "model.json",
        "model.rknn",
        "toolkit",
    ]


@pytest.mark.usefixtures("own_python", "no_export")
@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("config", "rknn-toolkit2: config: no such thing"),
        ("build", "rknn-toolkit2: build: no such thing"),
        ("raise", "rknn-toolkit2: Bad op!"),
        ("silent", "reports success, but wrote no model"),
    ],
)
def test_codes_and_exceptions_of_the_toolkit_are_one_message(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, said: str
) -> None:
    monkeypatch.setenv("STAND_IN_FAILS", step)
    with pytest.raises(CompileError) as caught:
        RKNN.compile(job_for(trained, "none"), options_for(), tmp_path)
    assert said in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.hint
    assert not (tmp_path / "model.json").exists()


# -- the engine, over a stand-in of the device's package


@pytest.fixture
def lite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name in ("rknnlite", "rknnlite.api"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(install(tmp_path / "lite", "rknnlite", LITE))
    from rknnlite.api import RKNNLite  # just written

    yield RKNNLite
    for name in ("rknnlite", "rknnlite.api"):
        sys.modules.pop(name, None)


def engine_of(folder: Path, library: Path | str, **given: Any) -> Engine:
    tensor = {"name": "t", "dtype": "float32", "scale": 0, "zero_point": 0}
    io = {"inputs": [{**tensor, "shape": [1, 4, 5, 1]}], "outputs": [{**tensor, "shape": [1, 10]}]}
    (folder / "model.rknn").touch()
    (folder / "model.json").write_text(json.dumps({"io": io, "operators": 3}))
    runtime = RKNN.runtime(options_for(library=str(library), **given))
    return Engine(str(folder), {"model": "model.rknn", "unit": {}, **runtime.engine_options})


def test_the_engine_runs_on_the_cores_that_are_named(lite: Any, tmp_path: Path) -> None:
    library = build_runtime(tmp_path)
    engine = engine_of(tmp_path, library, cores="core_0_1")
    assert lite.given == {"core_mask": lite.NPU_CORE_0_1}
    assert engine.conditions() == {"npu_cores": "core_0_1"}
    sample = np.arange(20, dtype=np.float32).reshape(1, 4, 5, 1)
    (answer,) = engine.infer(sample)
    np.testing.assert_array_equal(answer, 2 * np.arange(10, dtype=np.float32)[None])
    assert engine.operators() == 3
    assert engine.version() == "rknn RKNN VERSION: API: librknnrt 2.3.0 DRV: rknpu 0.9.8"
    engine_of(tmp_path, library)
    assert lite.given == {"core_mask": lite.NPU_CORE_AUTO}
    engine_of(tmp_path, library, platform="rk3566")
    assert lite.given == {}, "its runtime knows no cores"


def test_what_the_engine_lacks_is_told_apart(
    lite: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RuntimeError, match="runtime librknnrt-none.so cannot be loaded"):
        engine_of(tmp_path, "librknnrt-none.so")
    library = build_runtime(tmp_path)
    engine = engine_of(tmp_path, library)
    monkeypatch.setattr(lite, "answers", False)
    with pytest.raises(RuntimeError, match="did not answer"):
        engine.infer(np.zeros((1, 4, 5, 1), np.float32))
    monkeypatch.setattr(lite, "start", -1)
    with pytest.raises(RuntimeError, match=r"does not start \(code -1\): the model is for rk3588"):
        engine_of(tmp_path, library)
    monkeypatch.setattr(lite, "load", -1)
    with pytest.raises(RuntimeError, match="cannot load"):
        engine_of(tmp_path, library)


# -- the toolkit itself


@pytest.mark.parametrize("platform", ["rk3588", "rk3566"])
@pytest.mark.parametrize(("recipe", "steps"), [("ptq-int8", 6), ("fp16", 1)])
def test_the_toolkit_gives_the_same_bytes_and_the_simulator_the_networks_answers(
    trained: Trained, platform: str, recipe: str, steps: int, tmp_path: Path
) -> None:
    require_toolkit()
    options, job = options_for(platform=platform), job_for(trained, recipe)
    outs = [tmp_path / "one", tmp_path / "another" / "deeper"]
    for out in outs:
        out.mkdir(parents=True)
    made, again = (RKNN.compile(job, options, out) for out in outs)
    assert made == again
    assert len({(out / made.model).read_bytes() for out in outs}) == 1
    assert made.figures["accelerator_share"] > 0.7
    assert made.figures["npu_cycles_estimate"] > 1000
    engine = reference_engine(job, RKNN.runtime(options), made.model, outs[0])
    answers = run_engine(engine, engine.io(), trained.view().tensors("test")).first
    wanted = trained.logits("none")
    step = (wanted.max() - wanted.min()) / 255
    assert np.abs(answers - wanted).max() <= steps * step
    assert (answers.argmax(axis=1) == wanted.argmax(axis=1)).mean() >= 0.98


def test_the_toolkits_reason_reaches_the_user(trained: Trained, tmp_path: Path) -> None:
    require_toolkit()
    job = job_for(trained, "ptq-int8")
    assert job.calibration
    wrong = {name: array[:, :4] for name, array in job.calibration.arrays.items()}
    odd = replace(job, calibration=replace(job.calibration, arrays=wrong))
    with pytest.raises(CompileError, match="rknn-toolkit2: ") as caught:
        RKNN.compile(odd, options_for(), tmp_path)
    assert "\n" not in caught.value.message
    assert isinstance(job.worker, Worker)
