"""Fleets and rollouts in the configuration, and what `edgeflow check` finds in inventories."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from edgeflow.check.project import check_project
from edgeflow.config.load import parse
from edgeflow.errors import ConfigError, Problem

Check = Callable[[object], dict[str, str]]
Raw = dict[str, Any]


@pytest.fixture
def with_fleet(good: Raw) -> Raw:
    """The small configuration with a virtual fleet, and a rollout to it."""
    good["fleets"] = {"line": {"target": "pi", "transport": "virtual", "inventory": "fleet.csv"}}
    good["rollouts"] = {"spring": {"fleet": "line", "model": "cnn", "recipe": "int8"}}
    return good


@pytest.mark.parametrize(
    ("change", "place", "says"),
    [
        ({"fleet": "lime"}, "fleet", "no fleet 'lime' (did you mean 'line'?)"),
        ({"model": "cn"}, "model", "no model 'cn' (did you mean 'cnn'?)"),
        ({"variants": {"a": "cn"}}, "variants.a", "no model 'cn' (did you mean 'cnn'?)"),
        ({"recipe": "fp"}, "recipe", "no recipe 'fp' (did you mean 'fp32'?)"),
        ({"recipe": "fp32"}, "model", "no device of target 'pi' tries cnn/fp32 first"),
        ({"waves": ["10%", 5, "100%"]}, "", "`waves` must ascend"),
        ({"waves": [5, 5, "100%"]}, "", "`waves` must ascend"),
        ({"waves": [1, "50%"]}, "", "the last of `waves` must be `100%`"),
        ({"waves": [1, 100]}, "", "the last of `waves` must be `100%`"),
        ({"max_failed": "101%"}, "max_failed", "'101%' has the wrong form"),
        ({"select": {"site": []}}, "select.site", "at least 1"),
        ({"model": None}, "", "it names neither a `model` nor `variants`"),
    ],
)
def test_a_rollout_that_cannot_be(
    with_fleet: Raw, problems: Check, change: Raw, place: str, says: str
) -> None:
    with_fleet["rollouts"]["spring"] |= change
    ((found, told),) = problems(with_fleet).items()
    assert found == ".".join(filter(None, ["rollouts.spring", place]))
    assert says in told


def test_a_rollout_of_a_family_is_one_of_its_members(with_fleet: Raw) -> None:
    with_fleet["models"]["cnn"]["vary"] = {"architecture.width": [8, 16]}
    with_fleet["rollouts"]["spring"]["variants"] = {"spare": "cnn-width8"}
    rollout = parse(with_fleet).rollouts["spring"]
    assert rollout.variants == {
        **dict.fromkeys(("width8", "8", "spare"), "cnn-width8"),
        **dict.fromkeys(("width16", "16"), "cnn-width16"),
    }
    assert rollout.models() == ["cnn-width8", "cnn-width16"]
    assert (rollout.model_for("16"), rollout.model_for(None)) == ("cnn-width16", None)


def test_an_untried_family_is_told_once_where_it_is_named(with_fleet: Raw, problems: Check) -> None:
    with_fleet["models"]["cnn"]["vary"] = {"architecture.width": [8, 16]}
    with_fleet["rollouts"]["spring"]["recipe"] = "dyn"
    assert list(problems(with_fleet)) == ["rollouts.spring.model"]


def checked(project: Path, raw: Raw, inventory: str) -> dict[str, tuple[str, int | None]]:
    (project / "fleet.csv").write_text(inventory)
    raw["fleets"]["line"]["inventory"] = str(project / "fleet.csv")
    (project / "config.yaml").write_text(yaml.safe_dump(raw, sort_keys=False))
    try:
        check_project(project / "config.yaml", fast=True)
    except ConfigError as error:
        return {it.path: (f"{it.message} ({it.hint})", it.line) for it in error.problems}
    return {}


def test_the_check_reads_inventories(with_fleet: Raw, tmp_path: Path) -> None:
    rollout = with_fleet["rollouts"]["spring"]
    good = "name,zone,variant\na,1,\nb,2,\n"
    assert checked(tmp_path, with_fleet, good) == {}
    found = checked(tmp_path, with_fleet, "name,zone\na,1\na,2\nb c,\n")
    assert list(found) == ["fleets.line.inventory.line 3", "fleets.line.inventory.line 4"]
    assert all(line for _, line in found.values())
    rollout |= {"select": {"zome": 1}, "canaries": ["c"]}
    found = checked(tmp_path, with_fleet, good)
    assert found["rollouts.spring.select.zome"][0].endswith("(did you mean 'zone'?)")
    assert "reaches no device 'c'" in found["rollouts.spring.canaries.0"][0]
    rollout |= {"select": {"zone": 3}, "canaries": []}
    assert "no device of 'line' has these labels" in str(checked(tmp_path, with_fleet, good))
    rollout |= {"select": {}, "variants": {"x": "cnn"}}
    found = checked(tmp_path, with_fleet, "name,variant\na,y\nb,y\nc,x\nd,\n")
    assert "no model for variant 'y', which a, b have" in str(found)
    assert len(found) == 1
    with_fleet["recipes"]["int8"]["quantise"] = True  # and what else is wrong, at once
    found = checked(tmp_path, with_fleet, "name\n" + "a b\n" * 1000)
    assert "recipes.int8.quantise" in found
    assert found["fleets.line.inventory.further lines"][0].startswith("980 more are wrong too")
    assert len(found) == 22


def test_a_message_names_few_of_many_problems() -> None:
    many = [Problem(path=str(number), message="wrong") for number in range(10_000)]
    text = str(ConfigError(many))
    assert text.startswith("10,000 problems in config\n  - 0: wrong\n")
    assert text.count("\n") == 102
    assert "\n  and 9,900 more\n" in text
