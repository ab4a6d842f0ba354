"""A step's slice holds all that it depends on, and nothing else."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgeflow.artifact.fingerprint import closure
from edgeflow.artifact.hashing import canonical_json
from edgeflow.compress.slice import CompressSlice
from edgeflow.config.load import parse
from edgeflow.plan import Plan

RAW: dict[str, Any] = {
    "datasets": {"digits": {"source": "digits"}, "more": {"source": "digits", "seed": 1}},
    "models": {
        "a": {"dataset": "digits", "architecture": {"name": "ds_cnn", "width": 8}},
        "b": {"dataset": "more", "architecture": {"name": "convnet"}},
    },
    "recipes": {"fp32": {}, "int8": {"quantize": "ptq-int8"}},
    "targets": {"pi": {"kind": "litert"}, "intel": {"kind": "openvino"}},
    "devices": {
        "pi-1": {"target": "pi", "transport": "virtual"},
        "pc-1": {"target": "intel", "transport": "virtual"},
    },
    "deployments": [
        {"model": "a", "recipe": "int8", "devices": ["pi-1"], "gates": {"accuracy_min": 0.5}},
        {"model": "b", "recipe": "fp32", "devices": ["pc-1"]},
    ],
}


def slices(raw: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the slice of every job that a configuration leads to, by the job's name."""
    plan = Plan(parse(raw))
    jobs = {"report": plan.report()}
    for model, section in plan.config.models.items():
        jobs[f"dataset {section.dataset}"] = plan.dataset(section.dataset)
        jobs[f"train {model}"] = plan.train(model)
    for unit in plan.units:
        jobs[f"compress {unit.model}/{unit.recipe}"] = plan.compress(unit.model, unit.recipe)
        jobs[f"compile {unit.target}"] = plan.compile(unit.target)
        jobs[f"bundle {unit.target}"] = plan.bundle(unit.target, unit.model, unit.recipe)
        jobs[f"deploy {unit.device}"] = plan.deploy(unit.device)
        jobs[f"validate {unit.device}"] = plan.validate(unit.device, unit.model)
        jobs[f"gate {unit.device}"] = plan.gate(unit.device, unit.model)
    return {name: job.slice for name, job in jobs.items()}


Edit = Callable[[dict[str, Any]], Any]
EDITS: dict[str, tuple[Edit, set[str]]] = {
    "what a training asks of a cluster": (
        lambda raw: raw["models"]["a"].update(train={"cluster": {"partition": "x", "mem_mb": 900}}),
        set(),
    ),
    "gates": (
        lambda raw: raw["deployments"][0]["gates"].update(accuracy_min=0.6),
        {"gate pi-1", "report"},
    ),
    "measure": (
        lambda raw: raw["deployments"][0].update(measure={"runs": 50}),
        {"validate pi-1"},
    ),
    "options of a target": (
        lambda raw: raw["targets"]["pi"].update(threads=2),
        {"compile pi", "bundle pi"},
    ),
    "options of a dataset": (
        lambda raw: raw["datasets"]["digits"].update(seed=9),
        {"dataset digits"},
    ),
    "architecture": (
        lambda raw: raw["models"]["a"]["architecture"].update(width=16),
        {"train a"},
    ),
    "training": (
        lambda raw: raw["models"]["b"].update(train={"epochs": 3}),
        {"train b"},
    ),
    "recipe": (
        lambda raw: raw["recipes"]["fp32"].update(quantize="fp16"),
        {"compress b/fp32"},
    ),
    "a device's address": (
        lambda raw: raw["devices"]["pi-1"].update(timeout_s=5.0),
        {"deploy pi-1", "validate pi-1", "gate pi-1"},
    ),
    "another device": (
        lambda raw: (
            raw["devices"].update({"pi-2": {"target": "pi", "transport": "virtual"}}),
            raw["deployments"][0]["devices"].append("pi-2"),
        ),
        {"deploy pi-2", "validate pi-2", "gate pi-2", "report"},
    ),
    "a device that is not used": (
        lambda raw: raw["devices"].update({"pi-2": {"target": "pi", "transport": "virtual"}}),
        set(),
    ),
    "training, under a recipe that trains on": (
        lambda raw: (
            raw["recipes"]["fp32"].update(prune={"epochs": 1}),
            raw["models"]["b"].update(train={"epochs": 3}),
        ),
        {"train b", "compress b/fp32"},
    ),
    "a recipe that is not used": (lambda raw: raw["recipes"].update(half={}), set()),
}


@pytest.mark.parametrize(("edit", "touched"), EDITS.values(), ids=EDITS)
def test_a_change_reaches_the_jobs_that_depend_on_it_alone(edit: Edit, touched: set[str]) -> None:
    before, raw = slices(RAW), copy.deepcopy(RAW)
    edit(raw)
    after = slices(raw)
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert changed == touched


def test_no_job_depends_on_where_the_store_is() -> None:
    assert slices(RAW) == slices({**RAW, "store": {"path": "/elsewhere"}})


def test_units_are_the_rows_of_the_report() -> None:
    plan = Plan(parse(RAW))
    rows = [(unit.device, unit.target, unit.model, unit.recipe) for unit in plan.units]
    assert rows == [("pi-1", "pi", "a", "int8"), ("pc-1", "intel", "b", "fp32")]
    assert plan.unit("pc-1", "b") is plan.units[1]
    with pytest.raises(KeyError):
        plan.unit("pc-1", "a")


def test_a_new_figure_is_measured_and_rebuilds_no_model() -> None:
    plan = Plan(parse(RAW))
    building = [plan.dataset("digits"), plan.train("a"), plan.compress("a", "int8"), plan.debug()]
    building += [plan.compile("pi"), plan.compile("intel"), plan.bundle("pi", "a", "int8")]
    building += [plan.deploy("pi-1")]
    assert not any("edgeflow.figures.table" in closure(*job.modules) for job in building)
    using = [plan.validate("pi-1", "a"), plan.gate("pi-1", "a"), plan.report()]
    assert all("edgeflow.figures.table" in closure(*job.modules) for job in using)


def test_code_of_a_step_is_that_of_its_own_variant() -> None:
    plan = Plan(parse(RAW))
    litert = closure(*plan.compile("pi").modules)
    assert "edgeflow.targets.litert" in litert
    assert "edgeflow.ondevice.engine_litert" in litert
    assert "edgeflow.targets.openvino" not in litert
    assert "edgeflow.train.architectures.ds_cnn" in closure(*plan.train("a").modules)
    assert "edgeflow.train.architectures.convnet" not in closure(*plan.train("a").modules)
    assert "edgeflow.compress.quantize.ptq_int8" not in closure(*plan.compress("a", "fp32").modules)
    engine = closure(*plan.bundle("pi", "a", "int8").modules)
    assert {"edgeflow.ondevice.runner", "edgeflow.ondevice.engine_litert"} <= set(engine)


def test_a_users_architecture_is_part_of_the_trainings_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_nets_of_plan.py").write_text("def build(keras, shape, classes): ...\n")
    monkeypatch.chdir(tmp_path)
    raw = copy.deepcopy(RAW)
    raw["models"]["a"]["architecture"] = {"name": "own_nets_of_plan:build"}
    assert "own_nets_of_plan" in closure(*Plan(parse(raw)).train("a").modules)


def test_a_bundle_holds_the_front_end_where_samples_are_sounds() -> None:
    raw = copy.deepcopy(RAW)
    front_end = "edgeflow.ondevice.front_end"
    assert front_end not in Plan(parse(raw)).bundle("pi", "a", "int8").modules
    raw["datasets"]["digits"] = {"source": "wav_folder", "path": "tones"}
    plan = Plan(parse(raw))
    assert front_end in plan.bundle("pi", "a", "int8").modules
    assert front_end in closure(*plan.dataset("digits").modules)
    assert front_end not in plan.bundle("pi", "b", "int8").modules


def test_another_source_of_data_retrains_nothing() -> None:
    modules = closure(*Plan(parse(RAW)).train("a").modules)
    assert "edgeflow.tasks.regression" in modules
    assert "edgeflow.config.dataset" not in modules


def test_the_order_of_an_automatic_choice_reaches_its_step() -> None:
    raw = copy.deepcopy(RAW)
    raw["recipes"] |= {
        "best": {"auto": {"recipes": ["int8", "fp32"]}},
        "cheapest": {"auto": {}},
    }
    for name in ("best", "cheapest"):
        text = canonical_json(Plan(parse(raw)).compress("a", name).slice)
        slice_ = CompressSlice.model_validate_json(text)
        assert slice_.recipe.auto is not None
        assert slice_.recipe.auto.recipes == ["int8", "fp32"]
        assert set(slice_.candidates) == {"int8", "fp32"}


def test_recipes_that_may_be_integer_are_debugged_once_each() -> None:
    raw = copy.deepcopy(RAW)
    raw["recipes"] |= {
        "half": {"quantize": "fp16"},
        "best": {"auto": {"recipes": ["fp32", "int8"]}},
        "light": {"auto": {"recipes": ["fp32", "half"]}},
    }
    raw["devices"] |= {f"pi-{n}": {"target": "pi", "transport": "virtual"} for n in (2, 3, 4)}
    raw["deployments"] += [
        {"model": "a", "recipe": "int8", "devices": ["pi-2"]},
        {"model": "a", "recipe": "best", "devices": ["pi-3"]},
        {"model": "a", "recipe": "light", "devices": ["pi-4"]},
    ]
    assert Plan(parse(raw)).debugged() == [("a", "int8"), ("a", "best")]


@pytest.mark.parametrize(
    "recipe", [{"calibration": {"method": "mse"}}, {"keep_float": {"worst": 1}}]
)
def test_own_ranges_are_code_of_the_recipes_that_have_them(recipe: dict[str, Any]) -> None:
    raw = copy.deepcopy(RAW)
    raw["recipes"]["own"] = {"quantize": "ptq-int8", **recipe}
    plan = Plan(parse(raw))
    module = "edgeflow.compress.ptq.selective"
    assert module in closure(*plan.compress("a", "own").modules)
    assert module not in closure(*plan.compress("a", "int8").modules)


def test_an_import_depends_on_its_choice_and_on_what_its_worker_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.onnx").touch()
    raw = copy.deepcopy(RAW)
    raw["models"]["a"] = {"dataset": "digits", "source": "mine.onnx", "output": "logits"}
    job = Plan(parse(raw)).import_model("a")
    assert job.slice == {"kind": "onnx", "input": None, "output": "logits"}
    assert {"onnx2tf", "onnxsim", "onnxruntime", "tensorflow"} <= {*job.distributions()}
    modules = set(closure(*job.modules))
    ours = {f"edgeflow.{name}" for name in ("worker", "imported.onnx_graph", "imported.shapes")}
    assert ours <= modules
    assert "edgeflow.plan" not in modules
