"""`quantize: hgq` in a configuration: what goes with it, and what its jobs run in."""

from typing import Any

import pytest
from pydantic import ValidationError

from edgeflow.config.load import parse
from edgeflow.config.recipe import Recipe
from edgeflow.plan import Plan
from edgeflow.plan.recipes import toolchain
from edgeflow.plan.steps.compress import trained_recipes
from edgeflow.plan.steps.debug import debugged
from edgeflow.toolchain.fpga import environment


@pytest.mark.parametrize(
    ("recipe", "says"),
    [
        ({"hgq": {"beta": 1e-5}}, "`hgq` goes with `quantize: hgq`"),
        ({"quantize": "hgq", "prune": {}}, "leave out `prune` and `cluster`"),
        ({"quantize": "hgq", "cluster": {}}, "leave out `prune` and `cluster`"),
        ({"quantize": "hgq", "io": "uint8"}, "`io: uint8` goes with"),
        ({"quantize": "hgq", "keep_float": {}}, "`keep_float` goes with"),
        ({"quantize": "hgq", "hgq": {"bits": 13}}, "less than or equal to 12"),
    ],
)
def test_what_does_not_go_with_it_is_told(recipe: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Recipe.model_validate(recipe)


def test_it_trains_last_on_what_it_reads_its_ranges_off() -> None:
    recipe = Recipe.model_validate({"quantize": "hgq", "prune_channels": {}})
    assert list(recipe.stages()) == ["prune_channels", "hgq"]
    assert recipe.parts() == ("train", "validation", "test")


def test_its_jobs_run_in_the_environment_for_fpgas_and_others_do_not() -> None:
    recipes = {"fpga": {"quantize": "hgq"}, "int8": {"quantize": "ptq-int8"}}
    raw: dict[str, Any] = {
        "datasets": {"digits": {"source": "digits"}},
        "models": {"net": {"dataset": "digits", "architecture": {"name": "mlp"}}},
        "recipes": {**recipes, "any": {"auto": {}}, "one": {"auto": {"recipes": ["int8"]}}},
        "targets": {"pi": {"kind": "litert"}},
        "devices": {"bench": {"target": "pi", "transport": "virtual"}},
        "deployments": [{"model": "net", "recipe": "fpga", "devices": ["bench"]}],
    }
    plan = Plan(parse(raw))
    found = {name: toolchain(plan, name).environment for name in raw["recipes"]}
    assert found == {"fpga": environment(), "any": environment(), "int8": None, "one": None}
    assert trained_recipes(plan) == ["fpga", "any"]
    assert debugged(plan) == []
    modules = plan.job("compress", model="net", recipe="fpga").modules
    assert "edgeflow.compress.hgq" in modules
    assert {*modules} <= {*plan.job("compress", model="net", recipe="any").modules}
