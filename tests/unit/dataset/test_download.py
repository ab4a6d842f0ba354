"""What Keras downloads, with Keras replaced: no test reaches for the network."""

import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from edgeflow.config.dataset import Cifar10Dataset, FashionMnistDataset, MnistDataset
from edgeflow.dataset.sources import cifar10, fashion_mnist, mnist
from edgeflow.errors import DataError


def fake_keras(monkeypatch: pytest.MonkeyPatch, name: str, load_data: Any) -> None:
    module = ModuleType(name)
    module.load_data = load_data  # type: ignore[attr-defined]
    for parent in ("tf_keras", "tf_keras.datasets"):
        monkeypatch.setitem(sys.modules, parent, ModuleType(parent))
    monkeypatch.setitem(sys.modules, f"tf_keras.datasets.{name}", module)


def fail() -> None:
    raise Exception("URL fetch failure")  # as Keras does


def test_grey_images_get_a_channel_axis(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = np.ones((4, 28, 28), np.uint8), np.arange(4, dtype=np.uint8)
    fake_keras(monkeypatch, "mnist", lambda: ((x, y), (x[:2], y[:2])))

    raw = mnist.load(MnistDataset(source="mnist"))

    assert raw.test is not None
    assert (raw.train.x.shape, raw.test.x.shape) == ((4, 28, 28, 1), (2, 28, 28, 1))
    assert raw.train.y.tolist() == [0, 1, 2, 3]
    assert raw.train.y.dtype == np.int64
    assert mnist.files(MnistDataset(source="mnist")) == {}


def test_cifar10_class_numbers_lose_their_second_axis(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = np.ones((4, 32, 32, 3), np.uint8), np.arange(4, dtype=np.uint8)[:, None]
    fake_keras(monkeypatch, "cifar10", lambda: ((x, y), (x, y)))

    raw = cifar10.load(Cifar10Dataset(source="cifar10"))

    assert (raw.train.x.shape, raw.train.y.shape) == ((4, 32, 32, 3), (4,))
    assert raw.labels[3] == "cat"
    assert cifar10.files(Cifar10Dataset(source="cifar10")) == {}


def test_a_failed_download_says_how_else_to_get_the_data(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    fake_keras(monkeypatch, "fashion_mnist", fail)
    monkeypatch.setattr(fashion_mnist, "DEBIAN", tmp_path / "not-installed")

    with pytest.raises(DataError, match="download failed: URL fetch failure") as caught:
        fashion_mnist.load(FashionMnistDataset(source="fashion_mnist"))
    for way in ("apt-get install dataset-fashion-mnist", "`path:`", "network"):
        assert way in caught.value.hint
