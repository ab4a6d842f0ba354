"""What the benchmarks make of their times; the times themselves are no test."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks import table
from benchmarks.case import Case

EVENTS: list[dict[str, Any]] = [
    {"step": "compile", "seconds": 1.25},
    {"step": "compile", "seconds": 2.0},
    {"step": "bundle", "seconds": 0.5},
]


def case(seconds: list[float], baseline: list[float], target: float) -> Case:
    return Case(name="x", what="a", against="b", target=target, seconds=seconds, baseline=baseline)


def test_the_ratio_is_that_of_the_medians() -> None:
    slow_start = case([90.0, 11.0, 12.0], [10.0, 10.0, 70.0], target=1.2)
    assert (slow_start.value, slow_start.held) == (1.2, True)
    assert not case([13.0], [10.0], target=1.2).held


def test_without_a_baseline_the_seconds_count() -> None:
    assert case([14.0, 16.0, 15.0], [], target=15).held
    assert not case([15.1], [], target=15).held


def test_steps_are_counted_and_added_up() -> None:
    steps = Case(name="x", what="a", target=1, seconds=[1.0], events=EVENTS).steps
    assert steps == {"compile": {"runs": 2, "seconds": 3.2}, "bundle": {"runs": 1, "seconds": 0.5}}


def test_only_what_stands_between_the_markers_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "performance.md"
    begin, end = table.BEGIN.format("benchmarks"), table.END.format("benchmarks")
    page.write_text(f"before\n{begin}\nold\n{end}\nafter\n")
    monkeypatch.setattr(table, "PAGE", page)
    record = case([13.0], [10.0], target=1.2).record()
    table.update({"machine": "m", "system": "s", "python": "3", "cases": [record]})
    text = page.read_text()
    assert text.startswith(f"before\n{begin}\nm; s; python 3.\n")
    assert text.endswith(f"{end}\nafter\n")
    assert "| x: a | 13.0 (of 1) | b | 10.0 | 1.30 times | ≤ 1.2 times | no |" in text
    assert "old" not in text
