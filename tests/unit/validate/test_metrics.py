from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edgeflow.validate import metrics
from edgeflow.validate.schema import Metric


def test_percentiles_of_known_times() -> None:
    times = [float(value) for value in range(100, -1, -1)]
    summary = metrics.latency_summary(times, warmup=7)
    assert summary == {
        "p50": 50.0, "p90": 90.0, "p99": 99.0, "mean": 50.0, "min": 0.0, "max": 100.0,
        "runs": 101, "warmup": 7,
    }  # fmt: skip


@given(times=st.lists(st.floats(0, 1e4), min_size=1, max_size=50))
def test_percentiles_agree_with_numpy_and_are_ordered(times: list[float]) -> None:
    summary = metrics.latency_summary(times, warmup=0)
    for name in ("p50", "p90", "p99"):
        assert summary[name] == pytest.approx(np.percentile(times, int(name[1:])))
    order = [summary[name] for name in ("min", "p50", "p90", "p99", "max")]
    assert order == sorted(order)


def parity(device: np.ndarray, reference: np.ndarray, tolerance: float) -> dict[str, Any]:
    """Return the parity of one output."""
    return metrics.parity({"output": device}, {"output": reference}, {"output": tolerance})


def test_parity_is_the_same_seen_from_either_side() -> None:
    one = np.array([[1.0, 2.0]], np.float32)
    found = [parity(a, b, 0.5) for a, b in ((one, -one), (-one, one))]
    output = {"share": 0.0, "max_abs": 4.0, "tolerance": 0.5}
    assert found == [{"share": 0.0, "max_abs": 4.0, "outputs": {"output": output}}] * 2
    assert parity(one, one, 0.0)["share"] == 1.0


def test_figures_are_plain_numbers_for_json() -> None:
    outputs = np.zeros((3, 2), np.float32)
    found = parity(outputs, outputs, 0.0)
    latency = metrics.latency_summary(np.arange(9).astype(np.float32), warmup=1)  # type: ignore[arg-type]
    for figures in (found.pop("outputs")["output"], found, latency):
        assert {type(value) for value in figures.values()} <= {float, int}


def test_the_stages_are_those_of_a_validation() -> None:
    assert {"name", *metrics.STAGES} == set(Metric.model_fields)


def test_parity_counts_samples_within_the_tolerance() -> None:
    reference = np.zeros((4, 3), np.float32)
    device = reference.copy()
    device[1, 2], device[2, 0], device[3, 1] = 0.5, -0.25, 1.0
    exact = parity(device, reference, 0.0)
    assert (exact["share"], exact["max_abs"]) == (0.25, 1.0)
    assert parity(device, reference, 0.5)["share"] == 0.75


def test_parity_is_that_of_each_output_and_of_all() -> None:
    reference = {"scores": np.zeros((4, 3), np.float32), "boxes": np.zeros((4, 2, 2), np.float32)}
    device = {name: array.copy() for name, array in reference.items()}
    device["scores"][1, 0], device["boxes"][1:3, 0, 0] = 0.5, 3.0
    found = metrics.parity(device, reference, {"scores": 0.0, "boxes": 3.0})
    assert found["outputs"] == {
        "scores": {"share": 0.75, "max_abs": 0.5, "tolerance": 0.0},
        "boxes": {"share": 1.0, "max_abs": 3.0, "tolerance": 3.0},
    }
    assert (found["share"], found["max_abs"]) == (0.75, 3.0)
    strict = metrics.parity(device, reference, {"scores": 0.0, "boxes": 0.0})
    assert strict["share"] == 0.5


def test_outputs_may_have_any_shape() -> None:
    reference = np.zeros((4, 3, 2, 1), np.float32)
    device = reference.copy()
    device[2, 1, 1, 0] = -1.0
    found = parity(device, reference, 0.5)
    assert (found["share"], found["max_abs"]) == (0.75, 1.0)


def test_outputs_that_are_no_numbers_are_not_equal() -> None:
    reference = np.zeros((2, 3), np.float32)
    device = np.full((2, 3), np.nan, np.float32)
    assert parity(device, reference, 1.0)["share"] == 0.0


@pytest.mark.parametrize("stage", ["none", *metrics.STAGES[1:]])
@pytest.mark.parametrize(("share", "diverges"), [(0.99, False), (0.98, True)])
def test_the_first_stage_that_diverges_is_named(stage: str, share: float, diverges: bool) -> None:
    def agreement(before: str, other: str) -> float:
        assert metrics.STAGES.index(before) + 1 == metrics.STAGES.index(other)
        return share if other == stage else 1.0

    assert metrics.first_divergence(agreement) == (stage if diverges else "none")


@given(
    truth=hnp.arrays(np.int64, st.integers(1, 80), elements=st.integers(0, 4)),
    samples=st.integers(1, 100),
)
def test_a_sample_of_the_test_set_is_stratified(truth: np.ndarray, samples: int) -> None:
    indices = metrics.stratified_indices(truth, samples)
    wanted = min(samples, len(truth))
    assert len(set(indices.tolist())) == len(indices) == wanted
    assert indices.tolist() == sorted(indices.tolist())
    assert 0 <= indices[0] <= indices[-1] < len(truth)
    for label in range(5):
        share = (truth == label).sum() * wanted / len(truth)
        assert abs((truth[indices] == label).sum() - share) <= 2


def test_a_sample_of_the_test_set_reaches_from_its_first_class_to_its_last() -> None:
    truth = np.array([1, 0, 2, 0, 1, 2])
    assert metrics.stratified_indices(truth, 2).tolist() == [1, 5]
    assert metrics.stratified_indices(truth, 3).tolist() == [0, 1, 5]


def test_the_whole_test_set_is_the_default() -> None:
    truth = np.array([2, 0, 1, 1])
    assert metrics.stratified_indices(truth, None).tolist() == [0, 1, 2, 3]
