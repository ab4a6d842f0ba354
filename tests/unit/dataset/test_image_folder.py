"""A folder per class, decoded and resized."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgeflow.config.dataset import ImageFolderDataset
from edgeflow.dataset.base import RawDataset
from edgeflow.dataset.sources import image_folder
from edgeflow.errors import DataError


def section(root: Path, channels: int = 3) -> ImageFolderDataset:
    return ImageFolderDataset.model_validate(
        {"source": "image_folder", "path": str(root), "size": (4, 6), "channels": channels}
    )


def load(root: Path, channels: int = 3) -> RawDataset:
    return image_folder.load(section(root, channels))


@pytest.mark.parametrize("channels", [1, 3])
def test_decodes_converts_and_resizes(images: Path, channels: int) -> None:
    raw = load(images, channels)

    assert raw.train.x.shape == (12, 4, 6, channels)
    assert raw.train.x.dtype == np.uint8
    assert raw.labels == ("dark", "light")
    assert raw.train.y.tolist() == [0] * 6 + [1] * 6
    assert np.abs(raw.train.x[:6].astype(int) - 20).max() <= 1
    assert np.abs(raw.train.x[6:].astype(int) - 220).max() <= 1


def test_height_comes_before_width(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    left_black = np.full((40, 60), 255, np.uint8)
    left_black[:, :30] = 0
    Image.fromarray(left_black).save(tmp_path / "a" / "half.png")

    (image,) = load(tmp_path, 1).train.x

    assert image[:, 0].max() == 0
    assert image[:, -1].min() == 255


def test_hidden_files_are_not_samples(images: Path) -> None:
    (images / "dark" / ".DS_Store").write_bytes(b"finder")
    (images / ".git").mkdir()

    assert load(images).labels == ("dark", "light")
    assert len(image_folder.files(section(images))) == 12
    assert "dark/0.png" in image_folder.files(section(images))


@pytest.mark.parametrize("kept", [0, 30])
def test_a_corrupt_image_is_named(images: Path, kept: int) -> None:
    path = images / "light" / "1.png"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(DataError, match=r"light/1\.png cannot be read as an image") as caught:
        load(images)
    assert caught.value.exit_code == 9


def test_sixteen_bit_images_are_refused_not_clipped(images: Path) -> None:
    path = images / "dark" / "deep.png"
    Image.fromarray(np.full((4, 4), 30000, np.uint16)).save(path)
    with pytest.raises(DataError, match=r"deep\.png has pixels of mode I;16"):
        load(images)


def test_a_path_without_class_folders(tmp_path: Path) -> None:
    for root in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(DataError, match="no folder with folders in it"):
            load(root)
        assert image_folder.files(section(root)) == {}
