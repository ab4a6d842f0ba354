"""A dataset whose truth are values."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeflow.check.peek import Peek, peek
from edgeflow.config.dataset import NpzDataset
from edgeflow.config.samples import PARTS
from edgeflow.dataset.build import build_dataset
from edgeflow.dataset.view import open_dataset
from edgeflow.errors import DataError


def write(path: Path, count: int = 60, targets: int = 2, **more: Any) -> dict[str, Any]:
    """Write vectors, and targets that tell which vector they belong to."""
    x = np.random.default_rng(0).normal(size=(count, 3)).astype(np.float32)
    y = x[:, :targets].astype(np.float64) * 1000
    np.savez(path, **{"x": x, "y": y, **more})
    return {"source": "npz", "path": str(path), "task": "regression", "calibration": 10}


def test_targets_stay_with_their_samples(tmp_path: Path) -> None:
    options = write(tmp_path / "data.npz") | {"labels": ["near", "far | off"]}
    build_dataset("values", options, "0", tmp_path / "out")
    view = open_dataset(tmp_path / "out", PARTS)
    assert view.facts.labels == ["near", "far | off"]
    assert view.facts.counts == {
        "train": [43],
        "validation": [5],
        "test": [12],
        "calibration": [10],
    }
    for part in PARTS:
        truth = view.truth(part)
        assert truth.dtype == np.float32
        np.testing.assert_allclose(truth, view.inputs(part)[:, :2] * 1000, rtol=1e-6)
    card = (tmp_path / "out/card.md").read_text()
    assert "Splits are random, but for parts" in card
    smallest, largest = view.truth("test")[:, 1].min(), view.truth("test")[:, 1].max()
    assert f"| far \\| off | test | 12 | {smallest:g} | {largest:g} |" in card


def test_three_samples_are_enough_and_two_are_not(tmp_path: Path) -> None:
    options = write(tmp_path / "data.npz", count=3) | {"calibration": 1}
    build_dataset("values", options, "0", tmp_path / "out")
    with pytest.raises(DataError) as caught:
        build_dataset("values", options | {"limit": 2}, "0", tmp_path / "other")
    assert caught.value.message == "a limit of 2 cannot hold 3 sample(s)"
    assert caught.value.hint == "set `limit:` to 3 or more"


@pytest.mark.parametrize("source", ["npz", "signal"])
def test_one_value_for_each_sample_is_one_target(source: str, tmp_path: Path) -> None:
    options = write(tmp_path / "data.npz", y=np.arange(60)) | {"source": source}
    build_dataset("values", options, "0", tmp_path / "out")
    view = open_dataset(tmp_path / "out", ("train",))
    assert (view.facts.labels, view.truth("train").shape) == (["0"], (43, 1))


@pytest.mark.parametrize("labels", [None, ["a", "b"]])
def test_the_number_of_targets_is_known_before(labels: list[str] | None, tmp_path: Path) -> None:
    section = NpzDataset.model_validate(write(tmp_path / "data.npz") | {"labels": labels})
    assert peek(section) == Peek(inputs={"input": (3,)}, labels=2)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"y": np.zeros((60, 2, 2))}, r"y is float64 \(60, 2, 2\)"),
        ({"y": np.full((60, 2), np.inf)}, r"60 target\(s\) of the train part"),
        ({"y": np.full((60, 2), 1e300)}, "beyond float32"),
        ({"y": np.zeros((59, 2))}, "60 samples and 59 targets"),
        ({"x": np.zeros((2, 3)), "y": np.zeros(2)}, r"the source is too small: it has 2 sample"),
    ],
)
def test_what_is_no_dataset_of_values(more: dict[str, Any], says: str, tmp_path: Path) -> None:
    options = write(tmp_path / "data.npz", **more)
    with pytest.raises(DataError, match=says) as caught:
        build_dataset("values", options, "0", tmp_path / "out")
    assert caught.value.hint
