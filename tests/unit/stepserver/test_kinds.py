"""Which steps are forked from which warm process."""

import json
from typing import Any

import pytest

from edgeflow.artifact.cpu import DROPPED, HELD
from edgeflow.config.load import parse
from edgeflow.plan import Plan
from edgeflow.stepserver.steps import KINDS, kind_of

CONFIG: dict[str, Any] = {
    "datasets": {"digits": {"source": "digits"}},
    "models": {"m": {"dataset": "digits", "architecture": {"name": "ds_cnn"}}},
    "recipes": {
        "fp32": {},
        "pruned": {"prune": {"sparsity": 0.5}},
        "best": {"auto": {"recipes": ["fp32"], "accuracy_drop_max": 0.1}},
    },
    "targets": {"pi": {"kind": "litert"}},
    "devices": {"pi-1": {"target": "pi", "transport": "virtual"}},
    "deployments": [{"model": "m", "recipe": "fp32", "devices": ["pi-1"]}],
}


@pytest.mark.parametrize(
    ("recipe", "kind"), [("fp32", "tensorflow"), ("pruned", None), ("best", None)]
)
def test_a_recipe_that_trains_has_a_process_of_its_own(recipe: str, kind: str | None) -> None:
    slice_ = Plan(parse(CONFIG)).job("compress", model="m", recipe=recipe).slice
    command = ["edgeflow", "compress", "--name", "m", "--slice", json.dumps(slice_), "--code", "c"]
    assert kind_of(command, missed=True) == kind
    assert kind_of(command) == "light"  # to look into the store


def test_commands_that_are_no_steps_or_have_no_slice_run_by_themselves() -> None:
    assert kind_of(["edgeflow"]) is None
    assert kind_of(["edgeflow", "device", "list"]) is None
    assert kind_of(["edgeflow", "compress", "--slice"], missed=True) is None
    assert kind_of(["edgeflow", "compress", "--slice", "[]"], missed=True) is None
    assert kind_of(["edgeflow", "train"], missed=True) is None


def test_variables_that_a_step_sets_before_tensorflow_must_not_be_others() -> None:
    kind = KINDS["tensorflow"]
    assert kind.suits({"PATH": "/bin", **HELD})
    assert not kind.suits({"ONEDNN_MAX_CPU_ISA": "AVX2"})
    assert not kind.suits({DROPPED[0]: "AVX2"})
    assert KINDS["light"].suits({"ONEDNN_MAX_CPU_ISA": "AVX2"})
