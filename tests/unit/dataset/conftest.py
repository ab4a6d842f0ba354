"""Writers of small datasets in the formats in which the originals are published."""

import gzip
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests import cifar


def idx_bytes(values: NDArray[np.uint8]) -> bytes:
    """Return an IDX file: magic, big-endian sizes, data."""
    sizes = struct.pack(f">{values.ndim}I", *values.shape)
    return bytes((0, 0, 8, values.ndim)) + sizes + values.tobytes()


@pytest.fixture
def write_archive(tmp_path: Path) -> Callable[[dict[str, bytes]], Path]:
    """Return a function that writes a .tar.gz with the given members."""

    def write(members: dict[str, bytes]) -> Path:
        path = tmp_path / "cifar-10-python.tar.gz"
        cifar.write_archive(path, members)
        return path

    return write


@pytest.fixture
def write_mnist() -> Callable[[Path, bool], dict[str, NDArray[np.uint8]]]:
    """Return a function that writes four IDX files, gzipped or not, and returns the images."""

    def write(folder: Path, zipped: bool) -> dict[str, NDArray[np.uint8]]:
        folder.mkdir(parents=True)
        rng, images = np.random.default_rng(0), {}
        for part, count in (("train", 40), ("t10k", 20)):
            images[part] = rng.integers(0, 256, (count, 6, 5), np.uint8)
            labels = (np.arange(count) % 10).astype(np.uint8)
            for name, values in (("images-idx3", images[part]), ("labels-idx1", labels)):
                path = folder / f"{part}-{name}-ubyte{'.gz' if zipped else ''}"
                data = idx_bytes(values)
                path.write_bytes(gzip.compress(data, mtime=0) if zipped else data)
        return images

    return write


@pytest.fixture
def cifar_members() -> dict[str, bytes]:
    """Members of the CIFAR-10 archive, 20 samples per batch.

    Every red plane holds 10, green 20, blue 30, so that a mixed-up axis shows.
    """
    images = np.full((20, 32, 32, 3), [10, 20, 30], np.uint8)
    classes = [number % 10 for number in range(20)]
    return cifar.members(dict.fromkeys(cifar.BATCHES, (images, classes)))


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Two classes of six images each, PNG and JPEG, of several modes and sizes."""
    from PIL import Image

    root = tmp_path / "images"
    for label, grey in (("dark", 20), ("light", 220)):
        folder = root / label
        folder.mkdir(parents=True)
        for number, mode in enumerate(("RGB", "L", "RGBA")):
            image = Image.new("L", (9 + number, 7), grey)
            image.convert(mode).save(folder / f"{number}.png")
            image.save(folder / f"{number}.jpg")
    return root


@pytest.fixture
def npz(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes arrays to an .npz file."""

    def write(**arrays: NDArray[Any]) -> Path:
        path = tmp_path / "data.npz"
        np.savez(path, **arrays)  # type: ignore[arg-type]
        return path

    return write
