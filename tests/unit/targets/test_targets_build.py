import io
import json
import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeflow import plugins
from edgeflow.artifact.manifest import read_manifest, verify_files
from edgeflow.errors import CompileError, IntegrityError, MissingToolError
from edgeflow.figures.figure import Figure
from edgeflow.targets import registry
from edgeflow.targets.base import (
    LITERT,
    CompiledModel,
    CompileInput,
    Lint,
    Missing,
    Runtime,
    parse_options,
)
from edgeflow.targets.findings import KEPT
from edgeflow.targets.litert import LiteRT
from edgeflow.targets.openvino import OpenVINO
from edgeflow.testing.trained import Trained
from tests.unit.config.test_gatefit import INSTRUCTIONS
from tests.unit.packed import compile_tiny, members, pack_tiny, target_options


def test_what_a_compilation_leaves(trained: Trained, tmp_path: Path) -> None:
    facts = compile_tiny(trained, "litert", "ptq-int8", tmp_path).facts
    manifest = verify_files(tmp_path / "compile.json")
    assert set(manifest.files) == {"compiled/model.tflite", "reference/output.npy"}
    assert set(manifest.tools) == {"machine", "numpy", "ai-edge-litert"}
    model = trained.recipe("ptq-int8") / "model.tflite"
    assert (tmp_path / "compiled" / "model.tflite").read_bytes() == model.read_bytes()
    assert facts["size_bytes"] == model.stat().st_size
    assert facts["operators"]["cpu"] > 5
    assert (facts["kind"], facts["quantize"]) == ("litert", "ptq-int8")


def test_the_reference_is_what_the_engine_answers(trained: Trained, tmp_path: Path) -> None:
    facts = compile_tiny(trained, "litert", "ptq-int8", tmp_path).facts
    reference, sink = np.load(tmp_path / "reference/output.npy"), facts["io"]["outputs"][0]
    assert reference.dtype == np.int8
    floats = (reference.astype(np.float32) - sink["zero_point"]) * np.float32(sink["scale"])
    np.testing.assert_array_equal(floats, trained.logits("ptq-int8"))
    hits = reference.argmax(axis=1) == trained.view().truth("test")
    assert facts["metric_test"] == pytest.approx(hits.mean())


def test_openvino_stores_what_the_recipe_asks_for(trained: Trained, tmp_path: Path) -> None:
    sizes = {
        quantize: compile_tiny(trained, "openvino", quantize, tmp_path / quantize)
        .files["compiled/model.bin"]
        .size_bytes
        for quantize in ("none", "fp16", "ptq-int8")
    }
    assert sizes["fp16"] < 0.6 * sizes["none"]
    assert sizes["ptq-int8"] < 0.6 * sizes["none"]
    assert 'element_type="i8"' in (tmp_path / "ptq-int8/compiled/model.xml").read_text()


def test_hardware_of_the_device_is_not_needed_here(trained: Trained, tmp_path: Path) -> None:
    npu = compile_tiny(trained, "openvino", "none", tmp_path / "npu", device="NPU")
    cpu = compile_tiny(trained, "openvino", "none", tmp_path / "cpu", device="CPU")
    assert npu.files == cpu.files
    assert npu.facts["metric_test"] > 0.7


def test_a_compiler_gets_the_network_itself_if_it_asks_for_it(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Path | None] = []
    usual = LiteRT.compile

    def watched(job: CompileInput, options: Any, out: Path) -> CompiledModel:
        seen.append(job.network)
        return usual(job, options, out)

    monkeypatch.setattr(LiteRT, "compile", staticmethod(watched))
    plain = compile_tiny(trained, "litert", "none", tmp_path / "plain")
    asking = replace(LiteRT.capabilities, network=True)
    monkeypatch.setattr(LiteRT, "capabilities", asking)
    asked = compile_tiny(trained, "litert", "none", tmp_path / "asked")
    assert seen == [None, trained.recipe("none") / "network" / "model.h5"]
    assert asked.inputs["recipe"] != plain.inputs["recipe"], "it depends on one file more"
    imported = tmp_path / "tiny" / "none"
    shutil.copytree(trained.recipe("none"), imported)
    (imported / "network/model.h5").rename(imported / "network/model.tflite")
    manifest = read_manifest(imported / "manifest.json")
    files = {name.replace(".h5", ".tflite"): file for name, file in manifest.files.items()}
    manifest.model_copy(update={"files": files}).write(imported / "manifest.json")
    (tmp_path / "tiny" / "dataset").symlink_to(trained.dataset)
    compile_tiny(Trained(folder=tmp_path / "tiny"), "litert", "none", tmp_path / "imported")
    assert seen[2] is None, "a .tflite is no form of the network beside the .tflite"


BOARD = "raise RuntimeError('there is no board here')\n\n\nclass Engine: ...\n"


def test_the_recipe_is_the_reference_where_the_host_lacks_the_engine(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "board_engine.py").write_text(BOARD)
    monkeypatch.syspath_prepend(tmp_path)
    runtime = Runtime(
        engine_module="board_engine",
        engine_options={},
        host_engine_options={},
        tolerance=0.25,
        tools=(),
        oracle=LITERT,
        runs_here=False,
    )
    assert runtime.reference_module == "edgeflow.ondevice.engine_litert"
    monkeypatch.setattr(LiteRT, "capabilities", replace(LiteRT.capabilities, bit_exact=frozenset()))
    monkeypatch.setattr(LiteRT, "runtime", staticmethod(lambda options: runtime))
    monkeypatch.setattr(LiteRT, "compile", staticmethod(_compiled_for_a_board))
    out = tmp_path / "out"
    manifest = compile_tiny(trained, "litert", "ptq-int8", out)
    assert "ai-edge-litert" in manifest.tools
    (sink,) = manifest.facts["io"]["outputs"]
    assert (sink["dtype"], sink["tolerance"]) == ("int8", 0.25)
    raw = np.load(out / "reference" / "output.npy")
    floats = (raw.astype(np.float32) - sink["zero_point"]) * np.float32(sink["scale"])
    np.testing.assert_array_equal(floats, trained.logits("ptq-int8"))
    pack_tiny(trained, "litert", "ptq-int8", out)
    packed = members(out / "bundle.tar")
    assert "there is no board here" in packed["engine.py"].decode()
    golden = np.load(io.BytesIO(packed["golden_y/output.npy"]))
    np.testing.assert_array_equal(golden, raw[: len(golden)])


def _compiled_for_a_board(job: CompileInput, options: Any, out: Path) -> CompiledModel:
    (out / "firmware.bin").write_bytes(b"for a board")
    return CompiledModel(model="firmware.bin", operators={"board": 1})


def test_a_compiler_that_is_not_installed(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = [
        Missing(what="frobc", install="apt install frobc"),
        Missing(what="its driver", install="modprobe frob"),
    ]
    monkeypatch.setattr(LiteRT, "check", staticmethod(lambda options: missing))
    with pytest.raises(MissingToolError, match="tiny/none needs frobc, its driver") as caught:
        compile_tiny(trained, "litert", "none", tmp_path / "out")
    assert caught.value.hint == "apt install frobc; modprobe frob"
    assert list(tmp_path.iterdir()) == []


def test_a_compiler_that_fails_leaves_nothing(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(job: Any, options: Any, out: Path) -> None:
        (out / "half").write_text("written")
        raise CompileError("no")

    monkeypatch.setattr(OpenVINO, "compile", staticmethod(fail))
    with pytest.raises(CompileError):
        compile_tiny(trained, "openvino", "none", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("told", "declared", "odd"),
    [
        ({"instructions": 5.0}, (INSTRUCTIONS,), None),
        ({"instructions": 5.0}, (), "instructions"),
        ({"instructions": math.nan}, (INSTRUCTIONS,), "instructions"),
    ],
)
def test_a_compiler_tells_figures_that_its_target_declares(
    trained: Trained,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    told: dict[str, float],
    declared: tuple[Figure, ...],
    odd: str | None,
) -> None:
    compiling = LiteRT.compile
    monkeypatch.setattr(
        LiteRT, "compile", staticmethod(lambda *args: replace(compiling(*args), figures=told))
    )
    monkeypatch.setattr(LiteRT, "figures", declared, raising=False)
    if odd is None:
        assert compile_tiny(trained, "litert", "none", tmp_path).facts["figures"] == told
        return
    with pytest.raises(CompileError, match=f"no finite numbers.*: {odd}") as caught:
        compile_tiny(trained, "litert", "none", tmp_path)
    assert "`figures`" in caught.value.hint


def test_what_the_target_says_of_the_model_is_kept_and_said_also_where_compiling_fails(
    trained: Trained,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    facts = compile_tiny(trained, "litert", "ptq-int16x8", tmp_path / "wide").facts
    names = [finding["place"].removeprefix("3 ").split()[0].strip(",") for finding in facts["lint"]]
    assert names[0] == "CONV_2D"
    assert {"MEAN", "FULLY_CONNECTED"} <= set(names)
    assert "litert/tiny/ptq-int16x8: note: MEAN at" in capsys.readouterr().err
    assert compile_tiny(trained, "litert", "none", tmp_path / "plain").facts["lint"] == []
    finding = Lint(severity="warning", place="model", message="too large")
    monkeypatch.setattr(LiteRT, "lint", staticmethod(lambda model, options: [finding]))
    monkeypatch.setattr(LiteRT, "compile", staticmethod(_refused))
    with pytest.raises(CompileError):
        compile_tiny(trained, "litert", "none", tmp_path / "refused")
    assert capsys.readouterr().err.count("litert/tiny/none: warning: model: too large") == 1
    kept = tmp_path / "refused" / KEPT
    assert [one["message"] for one in json.loads(kept.read_bytes())] == ["too large"]
    monkeypatch.setattr(LiteRT, "lint", staticmethod(lambda model, options: []))
    with pytest.raises(CompileError):
        compile_tiny(trained, "litert", "none", tmp_path / "refused")
    assert not kept.exists(), "of the last try"


def test_what_the_target_says_of_the_model_is_kept_without_its_compiler(
    trained: Trained,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    finding = Lint(severity="warning", place="model", message="too large")
    monkeypatch.setattr(LiteRT, "lint", staticmethod(lambda model, options: [finding]))
    with monkeypatch.context() as patch:
        lacking = [Missing(what="frobc", install="apt install frobc")]
        patch.setattr(LiteRT, "check", staticmethod(lambda options: lacking))
        with pytest.raises(MissingToolError):
            compile_tiny(trained, "litert", "none", tmp_path)
    assert "litert/tiny/none: warning: model: too large" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == [KEPT]
    compile_tiny(trained, "litert", "none", tmp_path)
    assert not (tmp_path / KEPT).exists()


def _refused(job: CompileInput, options: Any, out: Path) -> CompiledModel:
    raise CompileError("no")


def test_a_recipe_whose_bytes_changed(trained: Trained, tmp_path: Path) -> None:
    recipe = tmp_path / "none"
    shutil.copytree(trained.recipe("none"), recipe)
    (recipe / "model.tflite").write_bytes(b"other")
    changed = Trained(folder=tmp_path)
    (tmp_path / "dataset").symlink_to(trained.dataset)
    with pytest.raises(IntegrityError, match=r"model\.tflite"):
        compile_tiny(changed, "litert", "none", tmp_path / "out")


def test_an_output_of_another_name_is_another_compilation(trained: Trained, tmp_path: Path) -> None:
    before = compile_tiny(trained, "litert", "none", tmp_path / "before")
    recipe = tmp_path / "none"
    shutil.copytree(trained.recipe("none"), recipe)
    (tmp_path / "dataset").symlink_to(trained.dataset)
    manifest = read_manifest(recipe / "manifest.json")
    facts = {**manifest.facts, "outputs": ["scores"]}
    manifest.model_copy(update={"facts": facts}).write(recipe / "manifest.json")
    renamed = compile_tiny(Trained(folder=tmp_path), "litert", "none", tmp_path / "after")
    assert renamed.inputs["recipe"] != before.inputs["recipe"]
    assert [tensor["name"] for tensor in renamed.facts["io"]["outputs"]] == ["scores"]


def test_a_target_that_cannot_be_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(group: str, name: str) -> None:
        raise ImportError("no module frob")

    monkeypatch.setattr(plugins, "load", fail)
    with pytest.raises(
        MissingToolError, match="'frob' cannot be loaded: ImportError: no mod"
    ) as caught:
        registry.get("frob")
    assert "reinstall" in caught.value.hint


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("litert", {"threads": 3, "xnnpack": False}),
        (
            "openvino",
            {
                "threads": 1,
                "device": "GPU",
                "performance_hint": "throughput",
                "streams": 3,
                "model_cache": True,
            },
        ),
    ],
)
def test_options_reach_the_engine(kind: str, options: dict[str, Any]) -> None:
    target = registry.get(kind)
    parsed = parse_options(target, target_options(kind, **options))
    assert target.runtime(parsed).engine_options == options
