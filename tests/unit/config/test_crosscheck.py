"""What two sections say about each other."""

import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgeflow import plugins
from edgeflow.config.crosscheck import cross_check
from edgeflow.targets.litert import LiteRT
from tests.unit.config.test_sections import SSH
from tests.unit.targets.mcu.test_board import OWN

Check = Callable[[object], dict[str, str]]


@pytest.mark.parametrize(
    ("section", "entry", "key", "value", "says"),
    [
        ("models", "cnn", "dataset", "digit", "no dataset 'digit' (did you mean 'digits'?)"),
        ("devices", "bench-pi", "target", "intl", "no target 'intl' (did you mean 'intel'?)"),
        ("deployments", 0, "model", "cn", "no model 'cn' (did you mean 'cnn'?)"),
        ("deployments", 0, "recipe", "zzz", "no recipe 'zzz' (there are: dyn, fp32, int8)"),
    ],
)
def test_a_reference_to_nothing(
    good: dict[str, Any],
    problems: Check,
    section: str,
    entry: str | int,
    key: str,
    value: str,
    says: str,
) -> None:
    good[section][entry][key] = value
    assert problems(good) == {f"{section}.{entry}.{key}": says}


def test_each_missing_device_is_named(good: dict[str, Any], problems: Check) -> None:
    good["deployments"][0]["devices"] = ["bench-po", "bench-pi", "nothing"]
    assert set(problems(good)) == {"deployments.0.devices.0", "deployments.0.devices.2"}


def test_a_reference_to_an_invalid_entry_is_no_second_problem(
    good: dict[str, Any], problems: Check
) -> None:
    good["targets"]["pi"] = {"kind": "nothing-like-it"}
    assert list(problems(good)) == ["targets.pi.kind"]


def test_a_bad_name_is_told_once_where_it_is_given(good: dict[str, Any], problems: Check) -> None:
    good["datasets"] = {"My Digits": {"source": "digits"}}
    good["models"]["cnn"]["dataset"] = "My Digits"
    assert list(problems(good)) == ["datasets.My Digits"]


def test_two_deployments_of_a_model_to_one_device(good: dict[str, Any], problems: Check) -> None:
    good["deployments"].append({"model": "cnn", "recipe": "fp32", "devices": ["bench-pi"]})
    (found,) = problems(good).items()
    assert found[0] == "deployments.1.devices.0"
    assert "model 'cnn' goes to device 'bench-pi' twice" in found[1]
    assert "see deployments.0.devices.0" in found[1]


def test_one_device_twice_in_a_deployment(good: dict[str, Any], problems: Check) -> None:
    good["deployments"][0]["devices"] = ["bench-pi", "bench-pi"]
    assert list(problems(good)) == ["deployments.0.devices.1"]


def test_a_recipe_that_the_target_kind_cannot_take(good: dict[str, Any], problems: Check) -> None:
    good["devices"]["second-intel"] = {"target": "intel", "transport": "virtual"}
    devices = ["bench-pi", "bench-intel", "second-intel"]
    good["deployments"] = [{"model": "cnn", "recipe": "dyn", "devices": devices}]
    assert problems(good) == {
        "deployments.0.recipe": "target kind 'openvino' cannot take a recipe with quantize: "
        "dynamic (it takes: fp16, none, ptq-int8, qat-int8)"
    }


def test_the_recipe_name_baseline_is_reserved(good: dict[str, Any], problems: Check) -> None:
    good["recipes"]["baseline"] = {}
    assert list(problems(good)) == ["recipes.baseline"]


@pytest.mark.parametrize("name", ["bin", "data"])
def test_models_named_as_a_folder_of_edgeflow_on_devices(
    good: dict[str, Any], problems: Check, name: str
) -> None:
    good["models"][name] = good["models"]["cnn"]
    assert list(problems(good)) == [f"models.{name}"]


def test_two_devices_in_one_folder_of_one_host(good: dict[str, Any], problems: Check) -> None:
    board = {**SSH, "target": "pi"}
    good["devices"] |= {"one": board, "two": {**board, "path": "other"}, "three": board}
    good["deployments"][0]["devices"] = ["one", "two"]
    assert problems(good) == {}
    good["deployments"].append({"model": "cnn", "recipe": "dyn", "devices": ["three"]})
    assert problems(good) == {
        "deployments.1.devices.0": "model 'cnn' goes to device 'three', which is 'one' by its "
        "host and path, twice (a folder on a device holds one recipe of a model at a time; give "
        "'three' a `path` of its own; see deployments.0.devices.0)"
    }


@pytest.mark.parametrize(
    ("name", "task", "says"),
    [
        ("autoencoder", "classification", "for it there are: convnet, ds_cnn"),
        ("ds_cnn", "anomaly", "for it there are: autoencoder"),
    ],
)
def test_a_network_of_another_task_than_its_dataset(
    good: dict[str, Any], problems: Check, name: str, task: str, says: str
) -> None:
    good["models"]["cnn"]["architecture"] = {"name": name}
    good["datasets"]["digits"]["task"] = task
    found = problems(good)
    assert list(found) == ["models.cnn.architecture.name"]
    assert says in found["models.cnn.architecture.name"]


def test_an_unknown_architecture(good: dict[str, Any], problems: Check) -> None:
    good["models"]["cnn"]["architecture"] = {"name": "ds_cn", "depth": 3}
    assert problems(good) == {
        "models.cnn.architecture.name": "no architecture 'ds_cn' (did you mean 'ds_cnn'?)"
    }


@pytest.mark.parametrize(
    ("option", "value", "where", "says"),
    [
        ("chanels", [8], "chanels", "did you mean 'channels'?"),
        ("kernel", "3", "kernel", "without quotes"),
        ("channels", [8, "x"], "channels.1", "valid integer, got 'x'"),
        ("dropout", float("nan"), "dropout", "finite number"),
    ],
)
def test_an_option_that_the_architecture_has_not(
    good: dict[str, Any], problems: Check, option: str, value: object, where: str, says: str
) -> None:
    good["models"]["cnn"]["architecture"] = {"name": "convnet", option: value}
    found = problems(good)
    assert list(found) == [f"models.cnn.architecture.{where}"]
    assert says in found[f"models.cnn.architecture.{where}"]


def test_a_list_is_taken_for_a_tuple_option(good: dict[str, Any], problems: Check) -> None:
    good["models"]["cnn"]["architecture"] = {"name": "convnet", "channels": [8, 16]}
    assert problems(good) == {}


def test_a_module_of_the_user_is_found_but_not_run(
    good: dict[str, Any], problems: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", ["/nonexistent"])
    (tmp_path / "own_nets.py").write_text("raise SystemExit\ndef build(*given, **options): ...\n")
    good["models"]["cnn"]["architecture"] = {"name": "own_nets:build", "anything": [1, {"a": 2}]}
    assert problems(good) == {}
    good["models"]["cnn"]["architecture"]["name"] = "own_net:build"
    assert "no module 'own_net'" in problems(good)["models.cnn.architecture.name"]


def test_the_unit_of_a_device_has_names_that_its_engine_knows(
    good: dict[str, Any], problems: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    good["devices"]["bench-pi"]["unit"] = {"serail": "066B", "bus": 3}
    none = "the engine of target kind 'litert' takes no"
    assert problems(good) == {
        "devices.bench-pi.unit.serail": f"{none} 'serail' (leave `unit` out)",
        "devices.bench-pi.unit.bus": f"{none} 'bus' (leave `unit` out)",
    }
    knows = replace(LiteRT.capabilities, unit=frozenset({"serial", "bus"}))
    monkeypatch.setattr(LiteRT, "capabilities", knows)
    assert problems(good) == {
        "devices.bench-pi.unit.serail": f"{none} 'serail' (it takes bus, serial)"
    }
    good["devices"]["bench-pi"]["unit"] = {"serial": "066B", "bus": 3}
    assert problems(good) == {}
    monkeypatch.setattr(LiteRT, "capabilities", replace(knows, unit_by_one=True))
    assert problems(good) == {
        "devices.bench-pi.unit": "bus and serial each name a unit, and a device is one "
        "(leave one of them out, or describe a device for each)"
    }


def test_a_target_without_an_emulator_needs_the_unit_of_a_device(
    good: dict[str, Any], problems: Check
) -> None:
    boards = tomllib.loads(OWN)
    good["targets"]["own"] = {"kind": "mcu", "board": "mine", "boards": boards}
    good["devices"]["lab"] = {"target": "own", "transport": "virtual"}
    assert problems(good) == {
        "devices.lab": "target 'own' has no emulator, and the device names no board "
        "(give it a `unit`: probe)"
    }
    good["devices"]["lab"]["unit"] = {"probe": "066B", "port": "/dev/ttyACM0"}
    assert problems(good) == {
        "devices.lab.unit.port": "the engine of target kind 'mcu' takes no 'port' (it takes probe)"
    }
    good["devices"]["lab"]["unit"] = {"probe": "066B"}
    assert problems(good) == {}


@pytest.mark.parametrize("value", [True, None, [1], {"a": 1}, "a\nb", "x" * 201])
def test_what_tells_units_apart_is_a_short_text_or_a_number(
    good: dict[str, Any], problems: Check, value: object
) -> None:
    good["devices"]["bench-pi"]["unit"] = {"serial": value}
    assert any(key.startswith("devices.bench-pi.unit.serial") for key in problems(good))


def test_a_target_that_cannot_be_imported_says_why(
    good: dict[str, Any], problems: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugins, "broken", lambda _: {"tpu": "ImportError: no libtpu"})
    good["targets"]["pi"] = {"kind": "tpu"}
    found = problems(good)
    assert list(found) == ["targets.pi.kind"]
    assert "cannot be used: ImportError: no libtpu" in found["targets.pi.kind"]


@pytest.mark.parametrize(
    ("recipe", "key"),
    [
        ({"auto": {}}, "auto"),
        ({"quantize": "ptq-int8", "keep_float": {"worst": 2}}, "keep_float.worst"),
        ({"quantize": "ptq-int8", "keep_float": {"layers": ["last"]}}, None),
        ({"quantize": "ptq-int8"}, None),
    ],
)
def test_a_recipe_that_judges_needs_anomalies_in_the_validation_set(
    good: dict[str, Any], problems: Check, recipe: dict[str, Any], key: str | None
) -> None:
    good["recipes"]["int8"] = recipe
    before = problems(good)
    good["datasets"]["digits"]["task"] = "anomaly"
    good["models"]["cnn"]["architecture"] = {"name": "autoencoder"}
    found = {path: text for path, text in problems(good).items() if path not in before}
    assert list(found) == (["deployments.0.recipe"] if key else [])
    if key:
        assert f"recipe 'int8' has `{key}`" in found["deployments.0.recipe"]
        assert "`task: anomaly` that cannot tell the AUC" in found["deployments.0.recipe"]


REGRESSION = {"source": "npz", "path": "arrays.npz", "task": "regression"}


def test_gates_are_those_of_the_task(good: dict[str, Any], problems: Check) -> None:
    good["deployments"][0]["gates"] = {"rmse_max": 1, "accuracy_min": 0.9, "auc_drop_max": 0.1}
    found = problems(good)
    assert set(found) == {"deployments.0.gates.rmse_max", "deployments.0.gates.auc_drop_max"}
    assert "use `accuracy_min`: accuracy is the share" in found["deployments.0.gates.rmse_max"]
    assert "use `accuracy_drop_max`" in found["deployments.0.gates.auc_drop_max"]
    good["datasets"]["digits"] = REGRESSION
    good["deployments"][0]["gates"] = {"rmse_max": 1e3, "rmse_rise_max": 2}
    assert problems(good) == {}


def test_targets_come_as_arrays(good: dict[str, Any], problems: Check) -> None:
    good["datasets"]["digits"]["task"] = "regression"
    found = problems(good)
    assert list(found) == ["datasets.digits.task"]
    assert "`source: npz or signal`" in found["datasets.digits.task"]


def test_a_choice_needs_a_limit_for_the_metric_of_the_task(
    good: dict[str, Any], problems: Check
) -> None:
    good["datasets"]["digits"] = REGRESSION
    good["recipes"]["int8"] = {"auto": {"recipes": ["fp32"], "accuracy_drop_max": 0.1}}
    found = problems(good)
    assert list(found) == ["deployments.0.recipe"]
    assert "set `rmse_rise_max` in its `auto`" in found["deployments.0.recipe"]
    good["recipes"]["int8"]["auto"]["rmse_rise_max"] = 0.5
    assert problems(good) == {}
    good["recipes"]["int8"] = {"quantize": "ptq-int8", "keep_float": {"worst": 2}}
    assert problems(good) == {}


def test_a_compile_host_that_is_not_there() -> None:
    hosts = {"builder": {"transport": "virtual"}}
    raw: dict[str, Any] = {"targets": {"x": {"kind": "any", "compile_host": "buildr"}}}
    for given, hint in ((hosts, "did you mean 'builder'?"), ({}, "")):
        (found,) = cross_check({**raw, **({"compile_hosts": given} if given else {})})
        assert found.path == "targets.x.compile_host"
        assert found.message == "no compile_host 'buildr'"
        assert hint in found.hint


def test_targets_that_a_deployment_compiles_for_are_checked_as_those_of_devices(
    good: dict[str, Any], problems: Check
) -> None:
    compiled = {"model": "cnn", "recipe": "dyn", "targets": ["pi", "pii", "intel"]}
    good["deployments"] = [compiled, {**compiled, "targets": ["pi"]}, {**compiled, "targets": []}]
    found = problems(good)
    assert "no target 'pii'" in found["deployments.0.targets.1"]
    assert "target kind 'openvino' cannot take" in found["deployments.0.recipe"]
    assert "is compiled for target 'pi' without a device twice" in found["deployments.1.targets.0"]
    assert "neither `devices` nor `targets`" in found["deployments.2"]
