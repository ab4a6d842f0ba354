"""What a rollout is planned from: its bench devices and bundles, and no inventory."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from edgeflow.cli.display.selection import select
from edgeflow.config.load import parse
from edgeflow.errors import ConfigError
from edgeflow.plan import Plan
from edgeflow.plan.outside import files_from_outside
from edgeflow.plan.steps.waves import automatic, bundles_of_rollout, gates_of_bench
from tests.growth import growth
from tests.unit.config.conftest import GOOD


@pytest.fixture
def raw() -> dict[str, Any]:
    """A rollout of two models of three, on one of two targets."""
    good: dict[str, Any] = yaml.safe_load(GOOD)
    good["fleets"] = {"line": {"target": "pi", "transport": "virtual", "inventory": "fleet.csv"}}
    good["rollouts"] = {"spring": {"fleet": "line", "model": "cnn", "recipe": "int8"}}
    model = good["models"]["cnn"]
    good["models"] |= {"other": model, "third": model}
    good["devices"]["pi-2"] = {"target": "pi", "transport": "virtual"}
    good["rollouts"]["spring"]["variants"] = {"x": "other"}
    good["deployments"] = [
        {"model": "cnn", "recipe": "int8", "devices": ["bench-pi", "pi-2", "bench-intel"]},
        {"model": "cnn", "recipe": "fp32", "targets": ["pi"]},
        {"model": "other", "recipe": "int8", "devices": ["pi-2"]},
        {"model": "third", "recipe": "int8", "devices": ["pi-2"]},
    ]
    return good


def test_all_bench_devices_of_its_models_recipe_and_target_come_first(raw: dict[str, Any]) -> None:
    plan = Plan(parse(raw))
    assert gates_of_bench(plan, "spring") == [
        "devices/bench-pi/cnn/gates.json",
        "devices/pi-2/cnn/gates.json",
        "devices/pi-2/other/gates.json",
    ]
    assert bundles_of_rollout(plan, "spring") == [
        "targets/pi/cnn/int8/bundle.tar",
        "targets/pi/other/int8/bundle.tar",
    ]
    units = select(plan, {"rollout": ["spring"]})
    assert [(it.device, it.model) for it in units] == [
        ("bench-pi", "cnn"),
        ("pi-2", "cnn"),
        ("pi-2", "other"),
    ]
    with pytest.raises(ConfigError, match="--rollout sprong: no such rollout"):
        select(plan, {"rollout": ["sprong"]})


def test_a_plain_build_rolls_out_only_what_says_so(raw: dict[str, Any]) -> None:
    plan = Plan(parse(raw))
    assert automatic(plan) == []
    assert Path("fleet.csv") not in files_from_outside(plan)
    raw["rollouts"]["spring"]["automatic"] = True
    asked = Plan(parse(raw))
    assert automatic(asked) == ["spring"]
    assert Path("fleet.csv") in files_from_outside(asked)
    before, after = (one.job("waves", rollout="spring").slice for one in (plan, asked))
    assert before == after


def test_choosing_the_bench_takes_linear_time(raw: dict[str, Any]) -> None:
    def work(count: int) -> Any:
        names = [f"d{number}" for number in range(count)]
        raw["devices"] |= {name: {"target": "pi", "transport": "virtual"} for name in names}
        raw["deployments"][0]["devices"] = names
        plan = Plan(parse(raw))
        return lambda: select(plan, {"rollout": ["spring"]})

    assert growth(work) < 2.5
