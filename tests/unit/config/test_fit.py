"""Whether recipes fit the targets they are deployed to, and what they refer to."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit.targets.mcu.nets import Net, fully_connected

Check = Callable[[object], dict[str, str]]
HERE = "deployments.0.recipe"


def deploy(good: dict[str, Any], recipe: dict[str, Any], *devices: str) -> dict[str, Any]:
    good["recipes"]["own"] = recipe
    devices = devices or ("bench-pi", "bench-intel")
    good["deployments"] = [{"model": "cnn", "recipe": "own", "devices": list(devices)}]
    return good


@pytest.mark.parametrize(
    "recipe",
    [
        {"quantize": "qat-int8", "io": "uint8"},
        {"quantize": "ptq-int8", "keep_float": {"worst": 1}},
        {"quantize": "ptq-int8", "calibration": {"method": "percentile"}},
        {"prune": {}, "cluster": {}, "prune_channels": {}, "quantize": "qat-int8"},
        {"prune": {}, "cluster": {}},
        {"auto": {"recipes": ["int8", "fp32"]}},
    ],
)
def test_what_all_targets_take(
    good: dict[str, Any], problems: Check, recipe: dict[str, Any]
) -> None:
    assert problems(deploy(good, recipe)) == {}


@pytest.mark.parametrize(
    ("recipe", "says", "there_is"),
    [
        ({"quantize": "ptq-int16x8"}, "quantize: ptq-int16x8", "fp16, none, ptq-int8, qat-int8"),
        (
            {"quantize": "ptq-int8", "calibration": {"method": "mse"}},
            "calibration.method: mse",
            "calibration.method may be: minmax, percentile",
        ),
    ],
)
def test_what_openvino_does_not_take(
    good: dict[str, Any], problems: Check, recipe: dict[str, Any], says: str, there_is: str
) -> None:
    found = problems(deploy(good, recipe))
    assert list(found) == [HERE]
    assert f"target kind 'openvino' cannot take a recipe with {says} (" in found[HERE]
    assert there_is in found[HERE]
    assert problems(deploy(good, recipe, "bench-pi")) == {}


def test_what_one_choice_of_options_takes(
    good: dict[str, Any], problems: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgeflow.targets.base import Capabilities
    from edgeflow.targets.openvino import OpenVINO

    whole = OpenVINO.capabilities
    less = replace(whole, quantize=frozenset({"none"}))

    def with_options(options: Any) -> Capabilities:
        return less if options.device == "GPU" else whole

    monkeypatch.setattr(OpenVINO, "capabilities_with", with_options, raising=False)
    assert problems(deploy(good, {"quantize": "fp16"}, "bench-intel")) == {}
    good["targets"]["intel"]["device"] = "GPU"
    found = problems(deploy(good, {"quantize": "fp16"}, "bench-intel"))[HERE]
    assert "target 'intel' with its options cannot take a recipe with quantize: fp16" in found
    assert "it takes: none" in found


def test_verilog_is_made_of_fixed_point_networks_alone(
    good: dict[str, Any], problems: Check
) -> None:
    good["targets"]["board"] = {"kind": "fpga"}
    good["recipes"]["fixed"] = {"quantize": "hgq"}
    places = [{"model": "cnn", "recipe": name, "targets": ["board"]} for name in ("fp32", "fixed")]
    good["deployments"] = places
    found = problems(good)
    assert list(found) == ["deployments.0.recipe"]
    assert "target 'board' with its options cannot take a recipe with quantize: none" in str(found)
    good["targets"]["board"]["compile_host"] = "elsewhere"
    assert "`flow: rtl` compiles here" in str(problems(good))


def test_a_stream_has_one_type_for_all_values_of_a_tensor(
    good: dict[str, Any], problems: Check
) -> None:
    good["targets"]["board"] = {"kind": "fpga", "flow": "hls", "io": "stream"}
    good["recipes"] |= {"own": {"quantize": "hgq"}}
    good["recipes"] |= {"one": {"quantize": "hgq", "hgq": {"activations": "per-tensor"}}}
    places = [{"model": "cnn", "recipe": name, "targets": ["board"]} for name in ("one", "own")]
    good["deployments"] = places
    found = problems(good)
    assert list(found) == ["deployments.1.recipe"]
    assert "recipe with hgq.activations: per-value" in str(found)
    assert "hgq.activations may be: per-tensor" in str(found)
    good["targets"]["board"]["io"] = "parallel"
    assert problems(good) == {}


def test_all_that_does_not_fit_is_told_at_once(
    good: dict[str, Any], problems: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgeflow.targets.base import Capabilities
    from edgeflow.targets.openvino import OpenVINO

    least = Capabilities(quantize=frozenset({"ptq-int8"}), calibration=frozenset({"minmax"}))
    monkeypatch.setattr(OpenVINO, "capabilities", least)
    recipe = {
        "quantize": "ptq-int8",
        "calibration": {"method": "mse"},
        "keep_float": {"worst": 1},
    }
    found = problems(deploy(good, recipe))[HERE]
    assert "with calibration.method: mse" in found
    assert "with keep_float" in found
    found = problems(deploy(good, {"quantize": "qat-int8", "io": "uint8"}))[HERE]
    assert "with quantize: qat-int8" in found
    assert "with io: uint8" in found


@pytest.mark.parametrize("tried", [["int8", "dyn"], []])
def test_every_recipe_that_a_choice_tries_must_fit(
    good: dict[str, Any], problems: Check, tried: list[str]
) -> None:
    found = problems(deploy(good, {"auto": {"recipes": tried}}))
    assert list(found) == [HERE]
    assert "'openvino' cannot take 'dyn', which 'own' tries, with quantize: dynamic" in found[HERE]


def test_a_choice_refers_to_recipes_that_choose_nothing(
    good: dict[str, Any], problems: Check
) -> None:
    good["recipes"]["first"] = {"auto": {"recipes": ["int8"]}}
    good["recipes"]["second"] = {"auto": {"recipes": ["first", "fp23", "fp32", "second"]}}
    found = problems(good)
    assert found == {
        "recipes.second.auto.recipes.0": "recipe 'first' chooses among recipes itself "
        "(name what it tries instead)",
        "recipes.second.auto.recipes.1": "no recipe 'fp23' (did you mean 'fp32'?)",
        "recipes.second.auto.recipes.3": "recipe 'second' chooses among recipes itself "
        "(name what it tries instead)",
    }


def test_a_teacher_that_does_not_exist(good: dict[str, Any], problems: Check) -> None:
    found = problems(deploy(good, {"distill": {"teacher": "cn"}}))
    assert found == {"recipes.own.distill.teacher": "no model 'cn' (did you mean 'cnn'?)"}


@pytest.mark.parametrize("chosen", [True, False])
def test_a_teacher_of_another_dataset(good: dict[str, Any], problems: Check, chosen: bool) -> None:
    good["datasets"]["others"] = {"source": "digits", "seed": 1}
    good["models"]["big"] = {**good["models"]["cnn"], "dataset": "others"}
    good["recipes"]["taught"] = {"distill": {"teacher": "big"}}
    recipe = {"auto": {"recipes": ["fp32", "taught"]}} if chosen else good["recipes"]["taught"]
    found = problems(deploy(good, recipe))
    assert found == {
        "deployments.0.model": "model 'cnn' is of dataset 'digits', and its teacher of 'others' "
        "(learn from a model of 'digits', not from 'big')"
    }
    good["models"]["big"]["dataset"] = "digits"
    assert problems(good) == {}


def test_a_recipe_that_is_wrong_itself_is_no_second_problem(
    good: dict[str, Any], problems: Check
) -> None:
    found = problems(deploy(good, {"quantize": "dynamic", "io": "int9"}))
    assert list(found) == ["recipes.own.io"]


def test_a_file_that_is_int8_goes_on_as_it_is(
    good: dict[str, Any], problems: Check, tmp_path: Path
) -> None:
    net = Net()
    (tmp_path / "mine.tflite").write_bytes(net.model(fully_connected(net, net.input((1, 64)), 10)))
    good["models"]["mine"] = {"dataset": "digits", "source": str(tmp_path / "mine.tflite")}
    good["targets"]["m0"] = {"kind": "mcu", "board": "microbit"}
    good["devices"]["bit"] = {"target": "m0", "transport": "virtual"}
    good["deployments"] = [{"model": "mine", "recipe": "fp32", "devices": ["bench-pi", "bit"]}]
    assert problems(good) == {}
    good["deployments"][0]["devices"] += ["bench-intel"]
    assert [*problems(good)] == ["deployments.0.model"]
