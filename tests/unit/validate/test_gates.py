from dataclasses import replace
from typing import Any

import pytest

from edgeflow.config.gates import Gates, all_figures
from edgeflow.figures.table import figure
from edgeflow.targets.mcu import Mcu
from edgeflow.validate.gates import GateResult, check_gates

VALIDATION: dict[str, Any] = {
    "kind": "litert",
    "metric": {"name": "accuracy", "baseline": 0.99, "device": 0.98},
    "parity": {"share": 0.97},
    "latency_ms": {"p50": 1.0, "p90": 2.0, "p99": 3.0},
    "peak_rss_mb": 64.0,
    "figures": {"energy_mj": 2.5},
    "sizes": {
        "model_bytes": 1000,
        "bundle_bytes": 2000,
        "model_packed_bytes": 300,
        "bundle_packed_bytes": 400,
    },
}
FIGURES = {
    "accuracy_min": 0.98,
    "accuracy_drop_max": 0.01,
    "parity_min": 0.97,
    "latency_p50_ms_max": 1.0,
    "latency_p90_ms_max": 2.0,
    "latency_p99_ms_max": 3.0,
    "peak_rss_mb_max": 64.0,
    "energy_mj_max": 2.5,
    "model_bytes_max": 1000.0,
    "bundle_bytes_max": 2000.0,
    "model_packed_bytes_max": 300.0,
    "bundle_packed_bytes_max": 400.0,
}
OF_OTHER_TASKS = {"auc_min", "auc_drop_max", "rmse_max", "rmse_rise_max"}


def test_every_figure_with_a_bound_is_a_gate_of_the_configuration() -> None:
    assert list(Gates.model_fields) == [f.gate for f in all_figures().values() if f.bound]
    assert set(Gates.model_fields) >= set(FIGURES) | OF_OTHER_TASKS | {f.gate for f in Mcu.figures}


@pytest.mark.parametrize("name", FIGURES)
def test_a_gate_holds_up_to_its_limit(name: str) -> None:
    step = 1e-6 if name.endswith("_max") else -1e-6
    figure = FIGURES[name]
    for limit, passed in ((figure, True), (figure + step, True), (figure - step, False)):
        [result] = check_gates(VALIDATION, {name: limit})
        assert result.passed is passed
        assert result.value == pytest.approx(figure)
        assert (result.name, result.limit) == (name, limit)


def test_a_gain_of_accuracy_is_no_drop() -> None:
    better = {**VALIDATION, "metric": {"name": "accuracy", "baseline": 0.9, "device": 0.95}}
    [result] = check_gates(better, {"accuracy_drop_max": 0.0})
    assert result.passed
    assert result.value == -0.05


def test_gates_of_a_metric_that_is_better_lower() -> None:
    worse = {**VALIDATION, "metric": {"name": "rmse", "baseline": 1.5, "device": 1.75}}
    level, rise = check_gates(worse, {"rmse_max": 1.7, "rmse_rise_max": 0.25})
    assert (level.value, level.passed, rise.value, rise.passed) == (1.75, False, 0.25, True)
    assert str(level) == "rmse_max: 1.75 (must be <= 1.7)"
    told = {"name": "rmse_max", "kind": "measured", "limit": 1.7, "value": 1.75, "passed": False}
    assert level.to_json() == told


@pytest.mark.parametrize("name", sorted(OF_OTHER_TASKS))
def test_a_gate_of_another_task_has_no_figure(name: str) -> None:
    [result] = check_gates(VALIDATION, {name: 0.5})
    assert (result.value, result.passed) == (None, False)


def test_what_is_not_measured_is_not_met() -> None:
    unknown = {**VALIDATION, "peak_rss_mb": None, "latency_ms": None}
    results = check_gates(unknown, {"peak_rss_mb_max": 1e9, "latency_p50_ms_max": 1e9})
    assert [result.passed for result in results] == [False, False]
    assert str(results[1]) == "peak_rss_mb_max: not measured (must be <= 1000000000)"
    emulated = replace(figure("peak_rss_mb"), kind="emulated")
    said = [str(GateResult(figure=emulated, limit=2.0, value=value)) for value in (None, 1.0)]
    assert said == [
        "peak_rss_mb_max: not measured (must be <= 2)",
        "peak_rss_mb_max: 1 emulated (must be <= 2)",
    ]


def test_a_result_says_figure_and_limit() -> None:
    results = check_gates(VALIDATION, {"parity_min": 1.0, "latency_p90_ms_max": 20})
    assert [str(result) for result in results] == [
        "latency_p90_ms_max: 2 (must be <= 20)",
        "parity_min: 0.97 (must be >= 1)",
    ]
    assert [result.passed for result in results] == [True, False]


def test_without_gates_there_is_nothing_to_check() -> None:
    assert check_gates(VALIDATION, {}) == []
