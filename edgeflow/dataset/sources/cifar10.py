"""CIFAR-10: 32x32 colour images, uint8 0..255, from the original python archive."""

import tarfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeflow.config.dataset import Cifar10Dataset
from edgeflow.dataset.base import UINT8_SCALE, RawDataset, Samples
from edgeflow.dataset.download import keras_download
from edgeflow.dataset.image import decode, image_suffixes
from edgeflow.dataset.unpickle import unpickle_arrays
from edgeflow.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TOOLS = ()
suffixes = image_suffixes
_FOLDER = "cifar-10-batches-py"
_TRAIN = tuple(f"data_batch_{number}" for number in range(1, 6))
_TEST = ("test_batch",)
_META = "batches.meta"
_NAMES = (*_TRAIN, *_TEST, _META)
_CHANNELS, _SIDE = 3, 32
_LABELS = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
_WAYS = (
    "fetch https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz and set `path:` of the "
    "dataset to it or to its unpacked folder, or leave `path:` out and run with a network "
    "connection, and Keras downloads it"
)


def files(section: Cifar10Dataset) -> dict[str, Path]:
    """Return the archive, or the files of its unpacked folder, that exist."""
    if section.path is None:
        return {}
    path = Path(section.path).expanduser()
    if path.is_file():
        return {"archive": path}
    return {name: path / name for name in _NAMES if (path / name).is_file()}


def load(section: Cifar10Dataset) -> RawDataset:
    """Return 50,000 train and 10,000 test samples, (n, 32, 32, 3)."""
    if section.path is None:
        return keras_download("cifar10", _LABELS, _WAYS)
    path = Path(section.path).expanduser()
    if not path.exists():
        raise DataError(f"{path} does not exist", hint=_WAYS)
    pickles = _from_folder(path) if path.is_dir() else _from_archive(path)
    missing = [name for name in _NAMES if name not in pickles]
    if missing:
        raise DataError(f"{path} lacks {', '.join(missing)}", hint=_WAYS)
    return RawDataset(
        train=_samples([pickles[name] for name in _TRAIN], path),
        test=_samples([pickles[name] for name in _TEST], path),
        labels=_label_names(pickles[_META], path),
        scale=UINT8_SCALE,
    )


def read(path: Path, section: Cifar10Dataset) -> "NDArray[np.uint8]":
    """Return one image, (32, 32, 3)."""
    return decode(path, (_SIDE, _SIDE), _CHANNELS)


def _from_folder(folder: Path) -> dict[str, Any]:
    pickles = {}
    for name in _NAMES:
        if (folder / name).is_file():
            with (folder / name).open("rb") as stream:
                pickles[name] = unpickle_arrays(stream, folder / name)
    return pickles


def _from_archive(path: Path) -> dict[str, Any]:
    """Read the wanted members in one pass over the archive; nothing is extracted to disk."""
    wanted = {f"{_FOLDER}/{name}": name for name in _NAMES}
    pickles = {}
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                stream = archive.extractfile(member) if member.name in wanted else None
                if stream is not None:
                    pickles[wanted[member.name]] = unpickle_arrays(stream, path)
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} is corrupt: {error}", hint=_WAYS) from error
    return pickles


def _samples(batches: list[Any], source: Path) -> Samples:
    import numpy as np

    try:
        flat = np.concatenate([batch[b"data"] for batch in batches])
        numbers = np.concatenate([np.asarray(batch[b"labels"], np.int64) for batch in batches])
        planes = flat.astype(np.uint8, casting="no").reshape(-1, _CHANNELS, _SIDE, _SIDE)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{source} holds no CIFAR-10 batches: {error!r}", hint=_WAYS) from error
    return Samples(x=planes.transpose(0, 2, 3, 1), y=numbers)


def _label_names(meta: Any, source: Path) -> tuple[str, ...]:
    try:
        return tuple(name.decode() for name in meta[b"label_names"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{source} has no label names: {error!r}", hint=_WAYS) from error
