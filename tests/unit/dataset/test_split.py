"""Splits: disjoint, stratified, deterministic, and never without a class."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeflow.config.dataset import NpzDataset
from edgeflow.config.samples import Part
from edgeflow.dataset.base import RawDataset, Samples, Selection
from edgeflow.dataset.quota import quotas
from edgeflow.dataset.split import split_dataset
from edgeflow.errors import DataError


def section(**given: Any) -> NpzDataset:
    return NpzDataset(source="npz", path="x.npz", **given)


def numbered(counts: list[int], first: int = 0) -> Samples:
    """Return samples that each hold their own number, with `counts` of each class."""
    y = np.repeat(np.arange(len(counts)), counts)
    x = np.arange(first, first + len(y), dtype=np.float32).reshape(-1, 1, 1, 1)
    return Samples(x=x, y=y)


def raw(counts: list[int], test: list[int] | None = None) -> RawDataset:
    return RawDataset(
        train=numbered(counts),
        test=numbered(test, first=sum(counts)) if test else None,
        labels=tuple(f"class-{number}" for number in range(len(counts))),
        scale=1.0,
    )


def members(samples: Samples | Selection) -> set[int]:
    return set(samples.x.ravel().tolist())


CLASSES = st.lists(st.integers(3, 60), min_size=2, max_size=6)
SHARES = st.floats(0.01, 0.9)


@settings(max_examples=60, deadline=None)
@given(counts=CLASSES, test=SHARES, validation=SHARES, seed=st.integers(0, 2**32))
def test_parts_are_disjoint_complete_and_hold_every_class(
    counts: list[int], test: float, validation: float, seed: int
) -> None:
    chosen = section(test=test, validation=validation, seed=seed, calibration=len(counts))
    parts = split_dataset(raw(counts), chosen)

    held = {part: members(samples) for part, samples in parts.items()}
    assert held["train"] | held["validation"] | held["test"] == set(range(sum(counts)))
    assert sum(len(held[part]) for part in ("train", "validation", "test")) == sum(counts)
    assert held["calibration"] <= held["train"]
    assert all(len(set(samples.y)) == len(counts) for samples in parts.values())
    truth = numbered(counts).y
    for samples in parts.values():
        np.testing.assert_array_equal(truth[samples.x.ravel().astype(int)], samples.y)


@settings(max_examples=30, deadline=None)
@given(counts=st.lists(st.integers(20, 200), min_size=2, max_size=6))
def test_each_part_has_each_class_in_its_share(counts: list[int]) -> None:
    parts = split_dataset(raw(counts), section(test=0.25, validation=0.2, calibration=12))

    assert len(parts["test"].y) == round(sum(counts) * 0.25)
    shares: dict[Part, float] = {"test": 0.25, "validation": 0.75 * 0.2, "train": 0.75 * 0.8}
    for part, share in shares.items():
        found = np.bincount(parts[part].y)
        np.testing.assert_allclose(found, np.array(counts) * share, atol=2.5)


def test_the_same_seed_gives_the_same_parts_and_another_seed_others() -> None:
    first, same, other = (
        split_dataset(raw([50, 50]), section(seed=seed, calibration=10)) for seed in (1, 1, 2)
    )
    for part in first:
        np.testing.assert_array_equal(first[part].x, same[part].x)
    assert members(first["test"]) != members(other["test"])
    assert members(first["calibration"]) != members(other["calibration"])


def test_another_calibration_size_leaves_the_other_parts_alone() -> None:
    small, large = (split_dataset(raw([50, 50]), section(calibration=n)) for n in (5, 60))
    assert len(large["calibration"].y) == 60
    parts: tuple[Part, ...] = ("train", "validation", "test")
    for part in parts:
        np.testing.assert_array_equal(small[part].x, large[part].x)


def test_a_test_set_of_the_source_is_kept_whole_and_in_order() -> None:
    parts = split_dataset(raw([20, 20], test=[4, 5]), section(calibration=4))
    assert parts["test"].x.ravel().tolist() == list(range(40, 49))
    assert len(parts["train"].y) + len(parts["validation"].y) == 40


def test_train_and_calibration_are_in_random_order() -> None:
    parts = split_dataset(raw([100, 100]), section(calibration=60))
    for part in (parts["train"], parts["calibration"]):
        assert 0 < part.y[: len(part.y) // 2].mean() < 1


def test_limit_holds_for_each_original_part() -> None:
    parts = split_dataset(raw([60, 20], test=[30, 10]), section(limit=20, calibration=4))
    assert len(parts["train"].y) + len(parts["validation"].y) == 20
    assert np.bincount(parts["test"].y).tolist() == [15, 5]


def test_a_limit_above_the_size_changes_nothing() -> None:
    limited, whole = (
        split_dataset(raw([30, 30]), section(limit=limit, calibration=4)) for limit in (60, None)
    )
    np.testing.assert_array_equal(limited["train"].x, whole["train"].x)


def test_the_smallest_limit_holds_the_least_of_each_class() -> None:
    parts = split_dataset(raw([30, 30]), section(limit=6, calibration=2))
    for part in ("train", "validation", "test"):
        assert np.bincount(parts[part].y).tolist() == [1, 1]


def test_a_limit_may_take_a_whole_class() -> None:
    parts = split_dataset(raw([30, 3]), section(limit=10, calibration=2))
    assert sum(int((parts[part].y == 1).sum()) for part in ("train", "validation", "test")) == 3


def test_a_validation_set_of_the_source_needs_one_sample_of_each_class() -> None:
    given = dataclasses.replace(raw([20, 20], test=[3, 3]), validation=numbered([2, 1], first=99))
    parts = split_dataset(given, section(calibration=4))
    assert members(parts["validation"]) == {99, 100, 101}
    assert len(parts["train"].y) == 40


@pytest.mark.parametrize(
    ("given", "chosen", "message"),
    [
        (raw([30, 2]), {}, "class 'class-1' is too small: it has 2 .* in the source, .* needs 3"),
        (raw([30, 0, 30]), {}, "class 'class-1' is too small: it has 0"),
        (raw([30, 1], test=[3, 3]), {}, "'class-1' .* 1 .* in the train set, .* needs 2"),
        (raw([30, 30], test=[3, 0]), {}, "'class-1' .* 0 .* in the test set, .* needs 1"),
        (
            dataclasses.replace(raw([30, 30]), validation=numbered([3, 0])),
            {},
            "'class-1' .* 0 .* in the validation set, .* needs 1",
        ),
        (raw([30, 30]), {"calibration": 60}, "calibration asks for 60 .* train part has 43"),
        (raw([30, 30, 30]), {"calibration": 2}, "2 calibration samples cannot show each of 3"),
        (raw([30, 30]), {"limit": 5, "calibration": 2}, "limit of 5 cannot hold 3 .* 2 classes"),
    ],
)
def test_what_cannot_be_split(given: RawDataset, chosen: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        split_dataset(given, section(**chosen))
    assert caught.value.hint
    assert caught.value.exit_code == 9


def test_quotas_stay_near_the_shares() -> None:
    # Shares of 0.25, 0.25, 0.25, 4.25 and 7, the small ones raised to 1: two are too many.
    assert quotas([2, 2, 2, 34, 56], 12, least=1, leave=1) == [1, 1, 1, 3, 6]
    assert quotas([2, 2, 2, 30, 60], 12, least=1, leave=1) == [1, 1, 1, 3, 6]


@given(data=st.data(), available=st.lists(st.integers(2, 50), min_size=1, max_size=8))
def test_quotas_add_up_within_their_bounds(data: st.DataObject, available: list[int]) -> None:
    count = data.draw(st.integers(len(available), sum(available) - len(available)))
    taken = quotas(available, count, least=1, leave=1)
    assert sum(taken) == count
    assert all(1 <= quota <= size - 1 for quota, size in zip(taken, available, strict=True))
