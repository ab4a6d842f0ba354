"""What of a dataset with anomalies goes where."""

from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter

from edgeflow.config.dataset import Dataset
from edgeflow.dataset.base import RawDataset, Samples
from edgeflow.dataset.split import split_dataset
from edgeflow.errors import DataError
from edgeflow.tasks.anomaly import Anomaly


def section(**more: Any) -> Any:
    section = {"source": "digits", "task": "anomaly", "calibration": 10, **more}
    return TypeAdapter(Dataset).validate_python(section)


def samples(normal: int, anomalous: int, start: int = 0) -> Samples:
    """Return samples that all differ; those of class 1 are negative."""
    y = np.repeat([0, 1], [normal, anomalous])
    x = np.arange(start + 1, start + 1 + len(y), dtype=np.float32) * np.where(y, -1, 1)
    return Samples(x=x.astype(np.float32)[:, None, None, None], y=y)


def raw(train: Samples, test: Samples | None = None) -> RawDataset:
    return RawDataset(train=train, test=test, labels=("good", "bad"), scale=1.0)


def test_anomalies_are_in_the_test_set_alone() -> None:
    parts = split_dataset(raw(samples(100, 30)), section())
    counts = {part: np.bincount(held.y, minlength=2).tolist() for part, held in parts.items()}
    assert counts == {
        "train": [72, 0], "validation": [8, 0], "calibration": [10, 0], "test": [20, 30],
    }  # fmt: skip
    for held in parts.values():
        np.testing.assert_array_equal(np.sign(held.x.ravel()), 1 - 2 * held.y)
    assert parts["test"].y[:20].any(), "in random order"
    three = np.concatenate([parts[part].x.ravel() for part in ("train", "validation", "test")])
    assert len(set(three.tolist())) == 130
    again = split_dataset(raw(samples(100, 30)), section())
    np.testing.assert_array_equal(again["test"].x, parts["test"].x)


def test_a_test_set_of_the_source_is_kept() -> None:
    test = samples(5, 4, start=1000)
    parts = split_dataset(raw(samples(40, 0), test), section())
    np.testing.assert_array_equal(parts["test"].x, test.x)
    assert (len(parts["train"].y), len(parts["validation"].y)) == (36, 4)


def test_a_limit_keeps_both_classes() -> None:
    parts = split_dataset(raw(samples(100, 50)), section(limit=60))
    assert sum(len(parts[part].y) for part in ("train", "validation", "test")) == 60
    assert (parts["test"].y == 1).sum() == 20


def test_what_is_no_dataset_of_anomalies() -> None:
    three = RawDataset(train=samples(3, 3), labels=("a", "b", "c"), scale=1.0)
    with pytest.raises(DataError, match="needs two classes, normal and anomalous; there are 3"):
        Anomaly().check_parts(three.labels, three.truths())
    with pytest.raises(DataError, match=r"train set has 2 sample\(s\) of 'bad'") as caught:
        Anomaly().check_parts(("good", "bad"), raw(samples(9, 2), samples(3, 3)).truths())
    assert "x_test" in caught.value.hint
    Anomaly().check_parts(("good", "bad"), raw(samples(9, 2)).truths())
