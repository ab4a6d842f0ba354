"""Families of models: what they expand to, and where their mistakes are told."""

from collections.abc import Callable
from typing import Any

import pytest

from edgeflow.config.load import parse

Check = Callable[[object], dict[str, str]]
Lines = Callable[[str], dict[str, int | None]]


@pytest.fixture
def family(good: dict[str, Any]) -> dict[str, Any]:
    """The small configuration, its model a family of two times two."""
    vary = {"architecture.width": [8, 16], "train.learning_rate": [0.001, 0.01]}
    good["models"]["cnn"]["vary"] = vary
    return good


def test_a_family_is_the_product_of_its_values(family: dict[str, Any]) -> None:
    models = parse(family).models
    assert list(models) == [
        "cnn-width8-learning_rate0_001",
        "cnn-width8-learning_rate0_01",
        "cnn-width16-learning_rate0_001",
        "cnn-width16-learning_rate0_01",
    ]
    last = models["cnn-width16-learning_rate0_01"]
    assert last.architecture is not None
    assert last.architecture.options == {"width": 16}
    assert (last.train.learning_rate, last.train.epochs, last.vary) == (0.01, 2, {})


def test_a_member_equals_the_model_written_by_hand(good: dict[str, Any]) -> None:
    by_hand = parse(good).models["cnn"]
    good["models"]["cnn"]["vary"] = {"train.epochs": [2, 3]}
    assert parse(good).models["cnn-epochs2"] == by_hand


def test_a_deployment_of_a_family_is_one_of_each_member(family: dict[str, Any]) -> None:
    family["models"]["plain"] = {**family["models"]["cnn"], "vary": {}}
    family["deployments"].append({"model": "plain", "recipe": "fp32", "devices": ["bench-pi"]})
    deployments = parse(family).deployments
    assert [one.model for one in deployments] == [*parse(family).models]
    assert {one.recipe for one in deployments[:4]} == {"int8"}


def test_a_deployment_of_one_member(family: dict[str, Any]) -> None:
    family["deployments"][0]["model"] = "cnn-width8-learning_rate0_01"
    (deployment,) = parse(family).deployments
    assert deployment.model == "cnn-width8-learning_rate0_01"


@pytest.mark.parametrize(
    ("path", "values", "names"),
    [
        ("train.schedule", ["constant", "cosine"], ["schedule_constant", "schedule_cosine"]),
        ("train.learning_rate", [1e-5, 1.0], ["learning_rate1e-05", "learning_rate1_0"]),
        ("dataset", ["digits"], ["dataset_digits"]),
        ("architecture.name", ["convnet"], ["name_convnet"]),
    ],
)
def test_names_say_the_values(
    good: dict[str, Any], path: str, values: list[object], names: list[str]
) -> None:
    good["models"]["cnn"]["architecture"] = {"name": "ds_cnn"}
    good["models"]["cnn"]["vary"] = {path: values}
    assert list(parse(good).models) == [f"cnn-{name}" for name in names]


def test_a_varied_key_need_not_be_set_before(good: dict[str, Any]) -> None:
    del good["models"]["cnn"]["train"]
    good["models"]["cnn"]["vary"] = {"train.epochs": [4]}
    assert parse(good).models["cnn-epochs4"].train.epochs == 4


@pytest.mark.parametrize(
    ("vary", "where", "says"),
    [
        ({"width": [8]}, "width", "not a path below the model (as in architecture.width)"),
        ({"trian.epochs": [8]}, "trian.epochs", "not a path below the model (did you mean 'train'"),
        ({"vary.x": [8]}, "vary.x", "not a path below the model"),
        ({"train..seed": [8]}, "train..seed", "not a path below the model"),
        ({"dataset.name": ["a"]}, "dataset.name", "nothing can be set below dataset: 'digits'"),
        ({"train.epochs": []}, "train.epochs", "an empty list leaves no model"),
        ({"train.epochs": 8}, "train.epochs", "expected a valid list, got 8"),
        ({"train.epochs": [1, 2, 1]}, "train.epochs.2", "1 makes the same name as 1"),
        ({"architecture": [{"name": "ds_cnn"}]}, "architecture.0", "a mapping makes no name"),
        ({"train.epoch": [1, 2]}, "train.epoch", "unknown key (did you mean 'epochs'?)"),
        ({"architecture.widht": [8, 9]}, "architecture.widht", "unknown key (did you mean 'width'"),
        ({"train.epochs": [3, "x"]}, "train.epochs.1", "expected a valid integer, got 'x'"),
        ({"dataset": ["digits", "digit"]}, "dataset.1", "no dataset 'digit' (did you mean 'digits"),
        ({"train.seed": [*range(1001)]}, "", "stands for 1001 models, more than 1000"),
    ],
)
def test_a_mistake_is_told_once_where_it_stands(
    good: dict[str, Any], problems: Check, vary: object, where: str, says: str
) -> None:
    good["models"]["cnn"]["vary"] = vary
    found = problems(good)
    (path,) = found
    assert path == f"models.cnn.vary.{where}".rstrip(".")
    assert says in found[path]


def test_a_mistake_beside_vary_is_told_once(family: dict[str, Any], problems: Check) -> None:
    family["models"]["cnn"]["train"]["epochs"] = "x"
    family["models"]["cnn"]["architecture"]["block"] = 1
    family["deployments"][0]["devices"] = ["bench-po"]
    family["deployments"].append({"model": "cn", "recipe": "int8", "devices": ["bench-pi"]})
    assert problems(family) == {
        "models.cnn.train.epochs": "expected a valid integer, got 'x' ()",
        "models.cnn.architecture.block": "unknown key (did you mean 'blocks'?)",
        "deployments.0.devices.0": "no device 'bench-po' (did you mean 'bench-pi'?)",
        "deployments.1.model": "no model 'cn' (did you mean 'cnn'?)",
    }


def test_a_slip_in_vary_itself(good: dict[str, Any], problems: Check) -> None:
    good["models"]["cnn"]["vari"] = {"train.epochs": [1]}
    assert problems(good) == {"models.cnn.vari": "unknown key (did you mean 'vary'?)"}


def test_a_bad_name_of_a_family_is_told_once(good: dict[str, Any], problems: Check) -> None:
    good["models"] = {"My CNN": {**good["models"]["cnn"], "vary": {"train.seed": [1, 2]}}}
    good["deployments"][0]["model"] = "My CNN"
    assert list(problems(good)) == ["models.My CNN"]


def test_a_member_of_too_long_a_name(good: dict[str, Any], problems: Check) -> None:
    family = "c" * 60
    good["models"] = {family: {**good["models"]["cnn"], "vary": {"train.seed": [1, 2]}}}
    good["deployments"][0]["model"] = family
    (found,) = problems(good).items()
    assert found[0] == f"models.{family}"
    assert f"{family}-seed1' is longer than 63" in found[1]


def test_two_models_of_one_name(good: dict[str, Any], problems: Check) -> None:
    good["models"]["cnn-epochs2"] = dict(good["models"]["cnn"])
    good["models"]["cnn"]["vary"] = {"train.epochs": [2, 3]}
    assert problems(good) == {
        "models.cnn.vary": "its member 'cnn-epochs2' has the name of another model "
        "(see models.cnn-epochs2)"
    }


def test_a_member_that_goes_to_a_device_twice(family: dict[str, Any], problems: Check) -> None:
    other = {"model": "cnn-width8-learning_rate0_01", "recipe": "dyn", "devices": ["bench-pi"]}
    family["deployments"].append(other)
    (found,) = problems(family).items()
    assert found[0] == "deployments.1.devices.0"
    assert "see deployments.0.devices.0" in found[1]


def test_lines_are_those_of_the_file(good_text: str, lines: Lines) -> None:
    line = "  cnn: {dataset: digits, architecture: {name: ds_cnn, width: 16}, train: {epochs: 2}}\n"
    vary = "    vary:\n      architecture.width: [8,\n        x]\n      train.epoc: [1, 2]\n"
    assert line in good_text
    text = good_text.replace(line, line.rstrip("}\n") + "}}\n" + line.replace("cnn:", "wide:"))
    text = text.replace(line.replace("cnn:", "wide:"), WIDE + vary)
    text = text.replace("devices: [bench-pi]}", "devices: [bench-po]}")
    first = text.splitlines().index("    vary:") + 1
    assert lines(text) == {
        "models.wide.vary.architecture.width.1": first + 2,
        "models.wide.vary.train.epoc": first + 3,
        "deployments.0.devices.0": len(text.splitlines()),
    }


WIDE = "  wide:\n    dataset: digits\n    architecture: {name: ds_cnn}\n"


def test_a_hundred_members_are_read_at_once(good: dict[str, Any]) -> None:
    good["models"]["cnn"]["vary"] = {"architecture.width": [*range(8, 108)]}
    assert len(parse(good).deployments) == 100


def test_the_users_values_are_not_changed(family: dict[str, Any]) -> None:
    before = repr(family)
    parse(family)
    assert repr(family) == before
