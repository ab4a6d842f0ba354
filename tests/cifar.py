"""Writes archives in the original format of CIFAR-10: pickles of Python 2 in a .tar.gz."""

import io
import pickle
import struct
import tarfile
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

LABELS = ["airplane", "automobile", "bird", "cat", "deer"]
LABELS += ["dog", "frog", "horse", "ship", "truck"]
BATCHES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")


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


def members(batches: dict[str, tuple[NDArray[np.uint8], list[int]]]) -> dict[str, bytes]:
    """Return the archive's members for each batch's images, uint8 (n, 32, 32, 3), and classes."""
    count = len(batches["test_batch"][1])
    meta = {
        b"num_cases_per_batch": count,
        b"label_names": [label.encode() for label in LABELS],
        b"num_vis": 3072,
    }
    values = {name: _batch(name, *batch) for name, batch in batches.items()}
    return {
        f"cifar-10-batches-py/{name}": python2_pickle(value)
        for name, value in {**values, "batches.meta": meta}.items()
    }


def _batch(name: str, images: NDArray[np.uint8], classes: list[int]) -> dict[bytes, Any]:
    return {
        b"batch_label": name.encode(),
        b"labels": classes,
        b"data": images.transpose(0, 3, 1, 2).reshape(len(images), -1),
        b"filenames": [f"{number}.png".encode() for number in range(len(images))],
    }


def write_archive(path: Path, content: dict[str, bytes]) -> None:
    """Write a .tar.gz with the given members."""
    with tarfile.open(path, "w:gz") as archive:
        for name, data in content.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
