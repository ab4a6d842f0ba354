"""Sizes of waves, budgets, order."""

import pytest

from edgeflow.fleet.waves import allowed, canary_first, wave_ends
from tests.unit.fleet.simulated import fleet


@pytest.mark.parametrize(
    ("waves", "total", "ends"),
    [
        ((1, 0.1, 0.5, 1.0), 200, [1, 20, 100, 200]),
        ((1, 0.1, 0.5, 1.0), 3, [1, 2, 3]),
        ((1, 0.1, 0.5, 1.0), 1, [1]),
        ((0.07, 1.0), 100, [7, 100]),  # not 8
        ((0.001, 1.0), 100, [1, 100]),
        ((2, 2, 5), 10, [2, 5]),
        ((20,), 10, [10]),
        ((1, 1.0), 0, []),
    ],
)
def test_waves_are_cumulative(waves: tuple[float, ...], total: int, ends: list[int]) -> None:
    assert wave_ends(waves, total) == ends


def test_a_share_of_what_is_reached_is_rounded_down() -> None:
    assert [allowed(0.1, reached) for reached in (1, 9, 10, 29, 30)] == [0, 0, 1, 2, 3]
    assert [allowed(3, reached) for reached in (1, 100)] == [3, 3]


def test_canaries_come_first_and_all_else_keeps_its_order() -> None:
    names = [unit.name for unit in canary_first(fleet(5), {"d3", "d1"})]
    assert names == ["d1", "d3", "d0", "d2", "d4"]
