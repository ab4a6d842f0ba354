"""Formulas of 32-bit products, compared with exact scaling for every sum that can occur."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeflow.targets.mcu.fixed_point import Integers, multiplier, requantize, requantize_once
from edgeflow.targets.mcu.narrow import Exact, Narrow, narrow


def scaling(factor: float, zero_point: int, once: bool = False) -> Exact:
    q, shift = multiplier(factor)

    def exact(x: Integers) -> Integers:
        return (requantize_once(x, factor) if once else requantize(x, q, shift)) + zero_point

    return exact


def assert_equal(found: Narrow, exact: Exact, sums: tuple[int, int], low: int, high: int) -> None:
    x = np.arange(sums[0], sums[1] + 1)
    np.testing.assert_array_equal(np.clip(found(x), low, high), np.clip(exact(x), low, high))
    for part in (x * found.factor, x * found.rest, x * found.factor + found.offset):
        assert -(2**31) <= part.min() <= part.max() < 2**31


@settings(max_examples=100, deadline=None)
@given(
    st.floats(-14, 1),
    st.integers(-128, 127),
    st.integers(-30_000, 200_000),
    st.integers(1, 300_000),
    st.tuples(st.integers(-128, 127), st.integers(-128, 127)),
    st.booleans(),
)
def test_a_formula_is_exact(
    exponent: float, zero_point: int, first: int, count: int, ends: tuple[int, int], once: bool
) -> None:
    exact = scaling(2.0**exponent, zero_point, once)
    sums = first - count // 2, first + count // 2
    found = narrow(exact, 2.0**exponent, sums, min(ends), max(ends))
    if found is not None:
        assert_equal(found, exact, sums, min(ends), max(ends))


@pytest.mark.parametrize("once", [False, True])
@pytest.mark.parametrize("sums", [(-130_000, 130_000), (-40, 90_000), (-90_000, -7), (5, 60_000)])
def test_sums_of_small_layers_have_a_formula(sums: tuple[int, int], once: bool) -> None:
    exact = scaling(0.001234, -3, once)
    found = narrow(exact, 0.001234, sums, -128, 127)
    assert found is not None
    assert_equal(found, exact, sums, -128, 127)


def test_a_power_of_two_needs_one_product() -> None:
    found = narrow(scaling(2.0**-9, 4, once=True), 2.0**-9, (-60_000, 60_000), -128, 127)
    assert found is not None
    assert found.rest == 0


def test_what_is_too_large_has_none() -> None:
    assert narrow(scaling(1e-6, 0), 1e-6, (-(2**30), 2**30), -128, 127) is None
    assert narrow(scaling(1.5, 0), 1.5, (-(2**29), 2**29), -128, 127) is None
