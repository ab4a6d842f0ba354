"""MNIST and Fashion-MNIST from IDX files."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeflow.config.dataset import FashionMnistDataset, MnistDataset
from edgeflow.dataset.sources import fashion_mnist, mnist
from edgeflow.errors import DataError

WriteMnist = Callable[[Path, bool], dict[str, NDArray[np.uint8]]]


@pytest.fixture
def folder(tmp_path: Path, write_mnist: WriteMnist) -> Path:
    path = tmp_path / "mnist"
    write_mnist(path, True)
    return path


def load(folder: Path) -> None:
    mnist.load(MnistDataset(source="mnist", path=str(folder)))


@pytest.mark.parametrize("zipped", [True, False])
def test_reads_images_and_labels(tmp_path: Path, write_mnist: WriteMnist, zipped: bool) -> None:
    images = write_mnist(tmp_path / "mnist", zipped)

    raw = mnist.load(MnistDataset(source="mnist", path=str(tmp_path / "mnist")))

    assert raw.test is not None
    np.testing.assert_array_equal(raw.train.x, images["train"][..., None])
    np.testing.assert_array_equal(raw.test.x, images["t10k"][..., None])
    np.testing.assert_array_equal(raw.train.y, np.arange(40) % 10)
    assert raw.train.x.dtype == np.uint8
    assert raw.train.y.dtype == np.int64
    assert (raw.scale, raw.offset, raw.labels) == (1 / 255, 0.0, tuple("0123456789"))


def test_fashion_mnist_takes_debians_package(
    tmp_path: Path, write_mnist: WriteMnist, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = write_mnist(tmp_path / "debian", True)
    monkeypatch.setattr(fashion_mnist, "DEBIAN", tmp_path / "debian")
    section = FashionMnistDataset(source="fashion_mnist")

    np.testing.assert_array_equal(fashion_mnist.load(section).train.x, images["train"][..., None])
    assert {path.parent for path in fashion_mnist.files(section).values()} == {tmp_path / "debian"}


def test_a_given_path_wins_over_debians_package(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "debian").mkdir()
    monkeypatch.setattr(fashion_mnist, "DEBIAN", tmp_path / "debian")
    section = FashionMnistDataset(source="fashion_mnist", path=str(folder))

    assert fashion_mnist.load(section).labels[9] == "Ankle boot"


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere is not a folder") as caught:
        load(tmp_path / "nowhere")
    assert "path:" in caught.value.hint
    assert "Keras" in caught.value.hint


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DataError, match="lacks t10k-labels-idx1-ubyte"):
        load(folder)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-20],
        lambda data: data[:40] + bytes(20) + data[60:],
        lambda data: b"\x1f\x8b garbage",
        lambda data: gzip.compress(gzip.decompress(data)[:-1]),
        lambda data: gzip.compress(gzip.decompress(data) + b"\0"),
        lambda data: gzip.compress(gzip.decompress(data)[:10]),
        lambda data: b"",
        lambda data: b"<html>not found</html>",
    ],
    ids=["cut", "bit-rot", "garbage", "too-short", "too-long", "cut-header", "empty", "html"],
)
def test_a_corrupt_file_is_named(folder: Path, damage: Callable[[bytes], bytes]) -> None:
    path = folder / "train-images-idx3-ubyte.gz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte\.gz is corrupt") as caught:
        load(folder)
    assert caught.value.exit_code == 9


def test_labels_in_place_of_images_are_refused(folder: Path) -> None:
    labels = (folder / "train-labels-idx1-ubyte.gz").read_bytes()
    (folder / "train-images-idx3-ubyte.gz").write_bytes(labels)
    with pytest.raises(DataError, match="no IDX file of unsigned bytes in 3 dimension"):
        load(folder)
