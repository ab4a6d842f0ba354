"""Generated C equals the oracles byte by byte on random networks over all operators."""

import os
import re

import pytest
from hypothesis import HealthCheck, Phase, event, given, reject, settings

from edgeflow.errors import CompileError
from edgeflow.targets.mcu.layers import OPERATORS
from tests.unit.targets.mcu.identity import SANITIZED, assert_identical
from tests.unit.targets.mcu.random_nets import STEPS, Case, networks

pytest.importorskip("tflite_micro")  # it comes for x86-64 Linux alone

SWEEP = "EDGEFLOW_SWEEP" in os.environ
NETWORKS = 2_000 if SWEEP else 120

# Scales so far from those of real networks that no kernel is to take them.
EXTREME = re.compile(
    "scale much smaller|scale near zero|sums above 32 bits|could be unrolled|are unrolled|"
    "too far apart"
)


def compare(case: Case, *flags: str) -> None:
    try:
        assert_identical(case.model, case.settings, 4, flags=flags)
    except CompileError as error:
        if not EXTREME.search(str(error)):
            raise
        event("refused")
        reject()
    for operator in case.operators:
        event(operator)


def test_all_operators_are_drawn() -> None:
    assert set(OPERATORS) == set(STEPS)


def examples(count: int) -> settings:
    """Return the same examples in each run; in a sweep other ones each time."""
    return settings(
        max_examples=count,
        derandomize=not SWEEP,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        phases=[Phase.generate, Phase.shrink],
        print_blob=True,
    )


@examples(NETWORKS)
@given(networks(kernels=("portable", "portable", "portable", "cmsis-nn")))
def test_random_networks(case: Case) -> None:
    compare(case, "-O1")


@examples(NETWORKS // 10)
@given(networks())
def test_no_undefined_behaviour(case: Case) -> None:
    compare(case, *SANITIZED)
