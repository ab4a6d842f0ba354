"""A step's slice holds all that it depends on, and nothing else."""

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import edgeflow.plan.steps
from edgeflow.artifact.fingerprint import closure, distributions
from edgeflow.artifact.hashing import canonical_json
from edgeflow.cli.app import app
from edgeflow.compress.slice import CompressSlice
from edgeflow.config.load import parse
from edgeflow.config.samples import PARTS
from edgeflow.plan import Plan
from edgeflow.plan.files import manifest_of_dataset, network_of_model
from edgeflow.plan.steps.compile import arrays_of_compilation
from edgeflow.plan.steps.compress import (
    arrays_of_recipe,
    manifests_of_teachers,
    networks_of_teachers,
    quick_recipes,
    trained_recipes,
)
from edgeflow.plan.steps.debug import debugged
from edgeflow.plan.steps.deploy import SLOTS
from edgeflow.plan.steps.deploy import slots as device_slots
from edgeflow.plan.steps.import_model import models_imported_as
from edgeflow.plan.steps.train import trained_models

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
    jobs = {"report": plan.job("report")}
    for model, section in plan.config.models.items():
        jobs[f"dataset {section.dataset}"] = plan.job("dataset", dataset=section.dataset)
        jobs[f"train {model}"] = plan.job("train", model=model)
    for unit in plan.units:
        jobs[f"compress {unit.model}/{unit.recipe}"] = plan.job("compress", **unit.names())
        for step in ("compile", "bundle"):
            jobs[f"{step} {unit.target}"] = plan.job(step, **unit.names())
        for step in ("deploy", "validate", "gate"):
            jobs[f"{step} {unit.device}"] = plan.job(step, **unit.names())
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
    names = {**plan.unit("pi-1", "a").names(), "dataset": "digits"}

    def uses(step: str) -> bool:
        return "edgeflow.figures.table" in closure(*plan.job(step, **names).modules)

    building = ("dataset", "train", "compress", "debug", "compile", "bundle", "deploy")
    assert not any(uses(step) for step in building)
    assert all(uses(step) for step in ("validate", "gate", "report"))


def test_code_of_a_step_is_that_of_its_own_variant() -> None:
    plan = Plan(parse(RAW))
    litert = closure(*plan.job("compile", target="pi").modules)
    assert "edgeflow.targets.litert" in litert
    assert "edgeflow.ondevice.engine_litert" in litert
    assert "edgeflow.targets.openvino" not in litert
    train = closure(*plan.job("train", model="a").modules)
    assert "edgeflow.train.architectures.ds_cnn" in train
    assert "edgeflow.train.architectures.convnet" not in train
    compress = closure(*plan.job("compress", model="a", recipe="fp32").modules)
    assert "edgeflow.compress.quantize.ptq_int8" not in compress
    engine = closure(*plan.job("bundle", target="pi", model="a", recipe="int8").modules)
    assert {"edgeflow.ondevice.runner", "edgeflow.ondevice.engine_litert"} <= set(engine)


def test_a_users_architecture_is_part_of_the_trainings_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_nets_of_plan.py").write_text("def build(keras, shape, classes): ...\n")
    monkeypatch.chdir(tmp_path)
    raw = copy.deepcopy(RAW)
    raw["models"]["a"]["architecture"] = {"name": "own_nets_of_plan:build"}
    assert "own_nets_of_plan" in closure(*Plan(parse(raw)).job("train", model="a").modules)


def test_a_bundle_holds_the_front_end_where_samples_are_sounds() -> None:
    def modules(raw: dict[str, Any], model: str) -> tuple[str, ...]:
        return Plan(parse(raw)).job("bundle", target="pi", model=model, recipe="int8").modules

    raw = copy.deepcopy(RAW)
    front_end = "edgeflow.ondevice.front_end"
    assert front_end not in modules(raw, "a")
    raw["datasets"]["digits"] = {"source": "wav_folder", "path": "tones"}
    assert front_end in modules(raw, "a")
    assert front_end in closure(*Plan(parse(raw)).job("dataset", dataset="digits").modules)
    assert front_end not in modules(raw, "b")


def test_another_source_of_data_retrains_nothing() -> None:
    modules = closure(*Plan(parse(RAW)).job("train", model="a").modules)
    assert "edgeflow.tasks.regression" in modules
    assert "edgeflow.config.dataset" not in modules


def test_the_order_of_an_automatic_choice_reaches_its_step() -> None:
    raw = copy.deepcopy(RAW)
    raw["recipes"] |= {
        "best": {"auto": {"recipes": ["int8", "fp32"]}},
        "cheapest": {"auto": {}},
    }
    for name in ("best", "cheapest"):
        text = canonical_json(Plan(parse(raw)).job("compress", model="a", recipe=name).slice)
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
    assert debugged(Plan(parse(raw))) == ["models/a/int8/debug", "models/a/best/debug"]


@pytest.mark.parametrize(
    "recipe", [{"calibration": {"method": "mse"}}, {"keep_float": {"worst": 1}}]
)
def test_own_ranges_are_code_of_the_recipes_that_have_them(recipe: dict[str, Any]) -> None:
    raw = copy.deepcopy(RAW)
    raw["recipes"]["own"] = {"quantize": "ptq-int8", **recipe}
    plan = Plan(parse(raw))
    module = "edgeflow.compress.ptq.selective"
    assert module in closure(*plan.job("compress", model="a", recipe="own").modules)
    assert module not in closure(*plan.job("compress", model="a", recipe="int8").modules)


def test_an_import_depends_on_its_choice_and_on_what_its_worker_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.onnx").touch()
    raw = copy.deepcopy(RAW)
    raw["models"]["a"] = {"dataset": "digits", "source": "mine.onnx", "output": "logits"}
    job = Plan(parse(raw)).job("import_model", model="a")
    assert job.slice == {"kind": "onnx", "input": None, "output": "logits"}
    assert {"onnx2tf", "onnxsim", "onnxruntime", "tensorflow"} <= {*distributions(job)}
    modules = set(closure(*job.modules))
    ours = {f"edgeflow.{name}" for name in ("worker", "imported.onnx_graph", "imported.shapes")}
    assert ours <= modules
    assert "edgeflow.plan" not in modules


def test_files_that_rules_read_follow_from_the_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.onnx").touch()
    raw = copy.deepcopy(RAW)
    raw["models"]["c"] = {"dataset": "digits", "source": "mine.onnx"}
    raw["recipes"]["learnt"] = {"distill": {"teacher": "a"}}
    raw["recipes"]["best"] = {"auto": {"recipes": ["fp32", "learnt", "int8"]}}
    plan = Plan(parse(raw))
    assert manifest_of_dataset(plan, "b") == "datasets/more/manifest.json"
    assert network_of_model(plan, "a") == "models/a/baseline/model.h5"
    assert network_of_model(plan, "c") == "models/c/baseline/graph.pb"
    assert (trained_models(plan), models_imported_as(plan, "graph.pb")) == (["a", "b"], ["c"])
    assert (quick_recipes(plan), trained_recipes(plan)) == (["fp32", "int8"], ["learnt", "best"])
    assert arrays_of_recipe(plan, "b", "fp32") == [f"datasets/more/test_{a}.npy" for a in "xy"]
    read = {path.rpartition("_")[0] for path in arrays_of_recipe(plan, "b", "best")}
    assert read == {f"datasets/more/{part}" for part in PARTS}
    assert manifests_of_teachers(plan, "best") == ["models/a/baseline/manifest.json"]
    assert networks_of_teachers(plan, "fp32") == []


def test_a_compiler_that_judges_its_work_waits_for_the_validation_set() -> None:
    control = {"kind": "openvino", "accuracy_control": {}}
    plan = Plan(parse({**RAW, "targets": {**RAW["targets"], "keeps": control}}))
    read = {
        target: {path.rpartition("_")[0] for path in arrays_of_compilation(plan, target, "b")}
        for target in plan.config.targets
    }
    judging = read.pop("keeps")
    assert judging == {f"datasets/more/{part}" for part in ("test", "calibration", "validation")}
    assert all(judging - parts == {"datasets/more/validation"} for parts in read.values())


def test_each_step_has_a_rule_and_a_command() -> None:
    steps = {path.stem for path in Path(edgeflow.plan.steps.__file__).parent.glob("[!_]*.py")}
    root = Path(__file__).parents[2]
    rules = "".join(path.read_text() for path in root.glob("rules/*.smk"))
    assert set(re.findall(r'of_step\("(\w+)"\)', rules)) == steps
    commands = {command.name for command in app.registered_commands}
    commands |= {group.name for group in app.registered_groups}
    assert {step.removesuffix("_model") for step in steps} <= commands


def fleet(count: int, units: int) -> Plan:
    """Return a plan with devices that have so many units each."""
    devices = {f"pi-{number}": RAW["devices"]["pi-1"] for number in range(count)}
    deployments = [
        {"model": model, "recipe": "fp32", "devices": [*devices]} for model in ("a", "b")[:units]
    ]
    return Plan(parse({**RAW, "devices": devices, "deployments": deployments}))


def test_units_of_one_device_wait_for_each_other() -> None:
    plan = fleet(3, units=2)
    held = [plan.job("deploy", device=f"pi-{number}").holds for number in range(3)]
    assert held == [(slot,) for slot in device_slots(plan)]
    assert set(device_slots(plan).values()) == {1}


def test_devices_do_not_add_to_what_snakemake_asks_of_each_job() -> None:
    assert device_slots(fleet(100, units=1)) == {}
    assert fleet(100, units=1).job("deploy", device="pi-7").holds == ()
    plan = fleet(100, units=2)
    assert len(device_slots(plan)) == SLOTS
    held = {plan.job("deploy", device=device).holds for device in plan.config.devices}
    assert held == {(slot,) for slot in device_slots(plan)}


def test_a_deployment_may_name_targets_and_no_device() -> None:
    raw = copy.deepcopy(RAW)
    gates = {"accuracy_min": 0.5}
    raw["deployments"].append(
        {"model": "a", "recipe": "int8", "targets": ["intel", "pi"], "gates": gates}
    )
    plan = Plan(parse(raw))
    assert [(unit.device, unit.target) for unit in plan.undeployed] == [("", "intel"), ("", "pi")]
    assert {unit.device for unit in plan.deployed} == {"pi-1", "pc-1"}
    names = {"target": "pi", "model": "a", "recipe": "int8"}
    assert plan.job("judge", **names).slice == {"names": names, "gates": gates}
    assert plan.job("report").slice["units"][-1] == {**names, "device": "", "gates": gates}
