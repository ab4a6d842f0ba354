"""Writers of small datasets in the formats in which the originals are published."""

import gzip
import io
import pickle
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

CIFAR_LABELS = "airplane automobile bird cat deer dog frog horse ship truck".split()


def idx_bytes(values: NDArray[np.uint8]) -> bytes:
    """Return an IDX file: magic, big-endian sizes, data."""
    sizes = struct.pack(f">{values.ndim}I", *values.shape)
    return bytes((0, 0, 8, values.ndim)) + sizes + values.tobytes()


class Python2Pickler(pickle._Pickler):  # type: ignore[name-defined,misc]
    """Writes what Python 2 with numpy 1 wrote: byte strings, and numpy's old module names."""

    dispatch = dict(pickle._Pickler.dispatch)  # type: ignore[attr-defined]

    def save_string(self, value: bytes) -> None:
        self.write(pickle.BINSTRING + struct.pack("<i", len(value)) + value)
        self.memoize(value)

    def save_text(self, value: str) -> None:
        self.save_string(value.encode())

    def save_global(self, value: Any, name: str | None = None) -> None:
        module = value.__module__.replace("numpy._core", "numpy.core")
        self.write(pickle.GLOBAL + f"{module}\n{value.__name__}\n".encode())
        self.memoize(value)

    dispatch[bytes] = save_string
    dispatch[str] = save_text
    dispatch[type] = save_global


def python2_pickle(value: object) -> bytes:
    """Return the protocol 2 pickle that Python 2 would write."""
    stream = io.BytesIO()
    Python2Pickler(stream, protocol=2).dump(value)
    return stream.getvalue()


def tar_gz(members: dict[str, bytes], path: Path) -> Path:
    """Write an archive with the given members."""
    with tarfile.open(path, "w:gz") as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


class Mnist:
    """Four IDX files of random 6x5 images, 40 train and 20 test samples of 10 classes."""

    def __init__(self, folder: Path, *, zipped: bool) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(0)
        for part, count in (("train", 40), ("t10k", 20)):
            images = rng.integers(0, 256, (count, 6, 5), np.uint8)
            labels = (np.arange(count) % 10).astype(np.uint8)
            self._write(f"{part}-images-idx3-ubyte", idx_bytes(images), zipped)
            self._write(f"{part}-labels-idx1-ubyte", idx_bytes(labels), zipped)
            setattr(self, part, images)

    train: NDArray[np.uint8]
    t10k: NDArray[np.uint8]

    def _write(self, name: str, data: bytes, zipped: bool) -> None:
        path = self.folder / (f"{name}.gz" if zipped else name)
        path.write_bytes(gzip.compress(data, mtime=0) if zipped else data)


@pytest.fixture
def mnist(tmp_path: Path) -> Mnist:
    """Gzipped IDX files in `tmp_path`/mnist."""
    return Mnist(tmp_path / "mnist", zipped=True)


@pytest.fixture
def cifar_members() -> dict[str, bytes]:
    """Members of the CIFAR-10 archive, 20 samples per batch.

    Every red plane holds 10, green 20, blue 30, so that a mixed-up axis shows.
    """
    planes = np.repeat(np.array([10, 20, 30], np.uint8), 32 * 32)
    names = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
    batches = {
        name: {
            b"batch_label": name.encode(),
            b"labels": [number % 10 for number in range(20)],
            b"data": np.tile(planes, (20, 1)),
            b"filenames": [f"{number}.png".encode() for number in range(20)],
        }
        for name in names
    }
    meta = {
        b"num_cases_per_batch": 20,
        b"label_names": [label.encode() for label in CIFAR_LABELS],
        b"num_vis": 3072,
    }
    members = {**batches, "batches.meta": meta}
    return {f"cifar-10-batches-py/{name}": python2_pickle(value) for name, value in members.items()}


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Two classes of six images each, PNG and JPEG, of several modes and sizes."""
    from PIL import Image

    root = tmp_path / "images"
    for label, grey in (("dark", 20), ("light", 220)):
        folder = root / label
        folder.mkdir(parents=True)
        for number, mode in enumerate(("RGB", "L", "RGBA")):
            color = {"RGB": (grey,) * 3, "L": grey, "RGBA": (grey, grey, grey, 255)}[mode]
            Image.new(mode, (9 + number, 7), color).save(folder / f"{number}.png")
            Image.new("RGB", (16, 16), (grey,) * 3).save(folder / f"{number}.jpg")
    return root


@pytest.fixture
def npz(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes arrays to an .npz file."""

    def write(**arrays: NDArray[Any]) -> Path:
        path = tmp_path / "data.npz"
        np.savez(path, **arrays)  # type: ignore[arg-type]
        return path

    return write
