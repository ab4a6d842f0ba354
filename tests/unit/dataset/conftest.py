"""Writers of small datasets in the formats in which the originals are published."""

import gzip
import io
import pickle
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

CIFAR_LABELS = ["airplane", "automobile", "bird", "cat", "deer"]
CIFAR_LABELS += ["dog", "frog", "horse", "ship", "truck"]


def idx_bytes(values: NDArray[np.uint8]) -> bytes:
    """Return an IDX file: magic, big-endian sizes, data."""
    sizes = struct.pack(f">{values.ndim}I", *values.shape)
    return bytes((0, 0, 8, values.ndim)) + sizes + values.tobytes()


_Pickler: Any = pickle._Pickler  # the one in Python: the one in C has no methods to replace


class Python2Pickler(_Pickler):  # type: ignore[misc]
    """Writes what Python 2 with numpy 1 wrote: byte strings, and numpy's old module names."""

    dispatch: ClassVar[dict[type, Any]] = dict(_Pickler.dispatch)

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


@pytest.fixture
def write_archive(tmp_path: Path) -> Callable[[dict[str, bytes]], Path]:
    """Return a function that writes a .tar.gz with the given members."""

    def write(members: dict[str, bytes]) -> Path:
        path = tmp_path / "cifar-10-python.tar.gz"
        with tarfile.open(path, "w:gz") as archive:
            for name, data in members.items():
                member = tarfile.TarInfo(name)
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
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
