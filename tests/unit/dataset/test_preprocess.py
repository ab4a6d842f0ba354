"""From stored samples to the network's input, channel by channel, on the host and the device."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from edgeflow.config.dataset import NpzDataset
from edgeflow.config.samples import Preprocess
from edgeflow.dataset.base import Samples, Selection
from edgeflow.dataset.build import build_dataset
from edgeflow.dataset.channels import narrow, shared_scale
from edgeflow.dataset.preprocess import moments
from edgeflow.dataset.view import DatasetView, open_dataset
from edgeflow.errors import DataError
from edgeflow.ondevice.release import to_input

WriteNpz = Callable[..., Path]
SIGMAS = [60.0, 60.0, 0.5]


def unlike(count: int, *shape: int) -> NDArray[np.float32]:
    values = np.random.default_rng(0).normal(size=(count, *shape, 3)) * SIGMAS + [900, 0, -7]
    return values.astype(np.float32)


def build(tmp_path: Path, npz: WriteNpz, x: NDArray[Any], **more: Any) -> DatasetView:
    path = npz(x=x, y=np.arange(len(x)) % 2)
    section = NpzDataset.model_validate(
        {"source": "npz", "path": str(path), "calibration": 4, **more}
    )
    # As a rule passes it on, with all defaults filled in.
    build_dataset("a", section.model_dump(mode="json"), "code", tmp_path / "out")
    return open_dataset(tmp_path / "out", ("train", "validation", "test", "calibration"))


@pytest.mark.parametrize("shape", [(), (5, 4)])
def test_standardized_channels_have_mean_0_and_deviation_1_in_the_train_set(
    tmp_path: Path, npz: WriteNpz, shape: tuple[int, ...]
) -> None:
    x = unlike(200, *shape)
    x[::7] *= 2
    view = build(tmp_path, npz, x, preprocess={"standardize": True})
    flat = view.inputs("train").reshape(-1, 3).astype(np.float64)
    np.testing.assert_allclose(flat.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(flat.std(axis=0), 1, atol=1e-3)
    everything = np.concatenate([view.inputs(p) for p in ("train", "validation", "test")])
    assert abs(everything.reshape(-1, 3).mean(axis=0)).max() > 2e-3, "of the train set alone"


def test_mean_and_deviation_of_the_user(tmp_path: Path, npz: WriteNpz) -> None:
    x = np.random.default_rng(0).integers(0, 256, (20, 4, 4, 3), np.uint8)
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]  # of values 0..1, as all publish them
    view = build(tmp_path, npz, x, preprocess={"mean": mean, "std": std})
    expected = (view.raw("test").astype(np.float64) / 255 - mean) / std
    np.testing.assert_allclose(view.inputs("test"), expected, atol=1e-5)
    assert "| 2 | 0 | 255 | 0.0174292 | -1.80444 |" in (tmp_path / "out" / "card.md").read_text()

    view = build(tmp_path, npz, x, preprocess={"scale": 1, "mean": 100, "std": 50})
    expected = (view.raw("test").astype(np.float64) - 100) / 50
    np.testing.assert_allclose(view.inputs("test"), expected, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize(
    "asked", [{"standardize": True}, {"mean": [1, 2, 3], "std": 7}, {"scale": 0.1, "offset": -3}]
)
def test_the_device_makes_the_very_input_of_the_host(
    tmp_path: Path, npz: WriteNpz, asked: dict[str, Any], dtype: Any
) -> None:
    x = np.abs(unlike(30, 5, 4)).astype(dtype)
    view = build(tmp_path, npz, x, preprocess=asked)
    preprocess = view.facts.inputs["input"].preprocess.model_dump(mode="json")
    tensor = {"dtype": "float32", "scale": 0, "zero_point": 0, "preprocess": preprocess}
    for sample, expected in zip(view.raw("test"), view.inputs("test"), strict=True):
        np.testing.assert_array_equal(to_input(sample[None], tensor)[0], expected)


def test_a_constant_channel_becomes_zero(tmp_path: Path, npz: WriteNpz) -> None:
    x = unlike(40, 4, 4)
    x[..., 1] = 0.1  # no sum of such is exact
    view = build(tmp_path, npz, x, preprocess={"standardize": True})
    assert np.abs(view.inputs("test")[..., 1]).max() < 1e-6
    assert np.isfinite(view.inputs("test")).all()


def test_moments_do_not_cancel_where_the_mean_is_large() -> None:
    x = (1e6 + np.random.default_rng(0).normal(size=(4000, 2)).round(2)).astype(np.float64)
    mean, std = moments(Selection(samples=Samples(x=x, y=np.zeros(4000, int)), index=np.arange(9)))
    np.testing.assert_allclose(mean, x[:9].mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(std, x[:9].std(axis=0), rtol=1e-6)


def test_one_value_for_each_channel(tmp_path: Path, npz: WriteNpz) -> None:
    with pytest.raises(DataError, match=r"`preprocess\.std` has 2 values, samples have 3 channels"):
        build(tmp_path, npz, unlike(20, 4, 4), preprocess={"std": [1, 2]})


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"std": 0}, "must be above 0"),
        ({"std": [1, -1, 1]}, "must be above 0"),
        ({"mean": []}, "at least 1 item"),
        ({"standardize": True, "std": 2}, "leave the other keys out"),
    ],
)
def test_what_cannot_be(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Preprocess.model_validate(asked)


def test_channels_of_unlike_scale_are_told(
    tmp_path: Path, npz: WriteNpz, capsys: pytest.CaptureFixture[str]
) -> None:
    x = unlike(200, 4, 4)
    x[..., 0] -= 900
    build(tmp_path, npz, x)
    told = capsys.readouterr().err
    assert "note: 1 of 3 input channels get fewer than 32 integer steps in int8" in told
    assert "1 input" not in told
    assert "2 (-" in told
    build(tmp_path, npz, x, preprocess={"standardize": True})
    assert "integer steps" not in capsys.readouterr().err


def test_steps_are_counted_over_the_range_that_all_share() -> None:
    low, high = np.array([-200.0, 0.0, 5.0, 7.0]), np.array([310.0, 63.9, 69.1, 7.0])
    scale = shared_scale(low, high)
    assert scale == pytest.approx(2)
    (found,) = narrow(low, high, scale)  # a constant one carries nothing that could be lost
    assert found.number == 1
    assert found.steps == pytest.approx(31.95)
    assert narrow(low, high, 0.0) == []


@pytest.mark.parametrize(
    ("asked", "factor"),
    [
        ({"std": 1e-50}, 1),
        ({"mean": 0, "std": [1, 1, 1e-40]}, 1),
        ({"scale": 1e30}, 1e10),
        ({"standardize": True}, 1e-42),
    ],
)
def test_what_float32_cannot_hold_is_refused(
    tmp_path: Path, npz: WriteNpz, asked: dict[str, Any], factor: float
) -> None:
    with pytest.raises(DataError, match="float32 cannot hold"):
        build(tmp_path, npz, unlike(40) * np.float32(factor), preprocess=asked)
