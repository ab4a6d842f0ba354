"""One-dimensional signals of the user."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeflow.config.dataset import SignalDataset
from edgeflow.dataset.base import RawDataset
from edgeflow.dataset.sources import signal as source
from edgeflow.errors import DataError

WriteNpz = Callable[..., Path]
Y = np.arange(6) % 2


def load(path: Path, **section: Any) -> RawDataset:
    return source.load(SignalDataset(source="signal", path=str(path), **section))


@pytest.mark.parametrize("channels", [(), (1,), (3,)])
def test_length_becomes_height(npz: WriteNpz, channels: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).normal(size=(6, 20, *channels)).astype(np.float32)

    raw = load(npz(x=x, y=Y), labels=["still", "moving"])

    assert raw.train.x.shape == (6, 20, 1, *(channels or (1,)))
    np.testing.assert_array_equal(raw.train.x.reshape(x.shape), x)
    assert (raw.scale, raw.test, raw.labels) == (1.0, None, ("still", "moving"))


def test_parts_of_the_user_are_kept(npz: WriteNpz) -> None:
    x = np.arange(60, dtype=np.uint8).reshape(6, 10)
    raw = load(npz(x_train=x, y_train=Y, x_test=x[:4], y_test=Y[:4]))
    assert raw.test is not None
    assert (raw.test.x.shape, raw.scale) == ((4, 10, 1, 1), 1 / 255)


@pytest.mark.parametrize("shape", [(6,), (6, 4, 3, 1)])
def test_other_shapes_are_refused(npz: WriteNpz, shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match="x is float64") as caught:
        load(npz(x=np.zeros(shape), y=Y))
    assert "(n, length[, channels])" in caught.value.hint
