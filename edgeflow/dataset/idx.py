"""IDX files, the format of MNIST and Fashion-MNIST, gzipped or not."""

import gzip
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from edgeflow.dataset.base import UINT8_SCALE, RawDataset, Samples
from edgeflow.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

IDX_NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
_GZIP_MAGIC = b"\x1f\x8b"
_UNSIGNED_BYTE = 8


def idx_files(folder: Path) -> dict[str, Path]:
    """Return those of the four files that `folder` holds, by name without ``.gz``."""
    found = {}
    for name in IDX_NAMES:
        for path in (folder / f"{name}.gz", folder / name):
            if path.is_file():
                found[name] = path
    return found


def image_shape(folder: Path) -> tuple[int, int, int]:
    """Return the shape of the train images in `folder`, by their file's first bytes.

    Raises:
        KeyError: there is no such file.
        OSError, struct.error, zlib.error: it is no IDX file.
    """
    path = idx_files(folder)[IDX_NAMES[0]]
    with path.open("rb") as raw:
        zipped = raw.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
    with gzip.open(path) if zipped else path.open("rb") as file:
        height, width = struct.unpack(">II", file.read(16)[8:])
    return height, width, 1


def load_idx(folder: Path, labels: tuple[str, ...], ways: str) -> RawDataset:
    """Read train and test set from the four files in `folder`.

    Args:
        ways: hint with the ways to get the files.

    Raises:
        DataError: a file is missing or corrupt.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder", hint=ways)
    files = idx_files(folder)
    missing = [name for name in IDX_NAMES if name not in files]
    if missing:
        raise DataError(f"{folder} lacks {', '.join(missing)} (plain or .gz)", hint=ways)
    x_train, y_train, x_test, y_test = (
        read_idx(files[name], dimensions=3 if "images" in name else 1) for name in IDX_NAMES
    )
    return RawDataset(
        train=Samples(x=x_train[..., None], y=y_train.astype("int64")),
        test=Samples(x=x_test[..., None], y=y_test.astype("int64")),
        labels=labels,
        scale=UINT8_SCALE,
    )


def read_idx(path: Path, dimensions: int) -> "NDArray[np.uint8]":
    """Read one IDX file of unsigned bytes.

    Raises:
        DataError: it is truncated, corrupt, or has another type or number of dimensions.
    """
    import numpy as np

    data = _content(path)
    header = 4 + 4 * dimensions
    if len(data) < header or data[:4] != bytes((0, 0, _UNSIGNED_BYTE, dimensions)):
        raise _corrupt(path, f"it is no IDX file of unsigned bytes in {dimensions} dimension(s)")
    shape = np.frombuffer(data, ">u4", dimensions, offset=4).tolist()
    expected = int(np.prod(shape, dtype=object))
    if len(data) - header != expected:
        raise _corrupt(path, f"it announces {expected} bytes and holds {len(data) - header}")
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)


def _content(path: Path) -> bytes:
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if data.startswith(_GZIP_MAGIC) else data
    except (OSError, EOFError, zlib.error) as error:
        raise _corrupt(path, str(error)) from error


def _corrupt(path: Path, why: str) -> DataError:
    return DataError(f"{path} is corrupt: {why}", hint=f"delete {path} and fetch it again")
