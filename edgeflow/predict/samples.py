"""Files of the user, read as those that the network was trained on."""

import importlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from edgeflow.bundle.manifest import BundleManifest
from edgeflow.config.dataset import Dataset, of_decoding
from edgeflow.dataset.arrays import records
from edgeflow.dataset.classes import all_of
from edgeflow.dataset.tensors import Tensors
from edgeflow.dataset.tree import tree
from edgeflow.errors import DataError
from edgeflow.predict.arrays import SUFFIXES, ArrayReader

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgeflow.dataset.base import Source

    Arrays = dict[str, NDArray[Any]]


_OTHER_FORM = "convert such files to the form of those that the model was trained on"


@dataclass(frozen=True, kw_only=True, slots=True)
class Samples:
    """Samples as datasets store them.

    Attributes:
        names: of the files; those of arrays with the number of the row.
        inputs: of the network, by name, each (n, *shape).
    """

    names: tuple[str, ...]
    inputs: Tensors

    def array(self) -> "NDArray[Any]":
        """Return them in one array; records where there are several inputs."""
        arrays = dict(self.inputs.arrays)
        return self.inputs.first if len(arrays) == 1 else records(arrays)


def read_samples(paths: Sequence[Path], manifest: BundleManifest) -> Samples:
    """Return the samples of files, and of all files in folders that may hold such.

    Args:
        paths: images, WAV files, .npy or .npz files, or folders of them.
        manifest: of the release that is to answer, which says how they are read.

    Raises:
        DataError: files cannot be read, or hold something else: all are named.
    """
    reader = _Reader(manifest)
    errors: list[DataError] = []
    names: list[str] = []
    parts: list[Arrays] = []
    for path in _files(paths, reader.suffixes):
        try:
            arrays = reader.read(path)
        except DataError as error:
            errors.append(error)
            continue
        parts.append(arrays)
        count = len(next(iter(arrays.values())))
        names += [f"{path}[{row}]" for row in range(count)] if _is_arrays(path) else [str(path)]
    if errors:
        raise all_of(errors)
    return Samples(names=tuple(names), inputs=_joined(parts))


class _Reader:
    """Reads files for one release."""

    def __init__(self, manifest: BundleManifest) -> None:
        self._section: Dataset = of_decoding(manifest.decoding)
        module = importlib.import_module(f"edgeflow.dataset.sources.{self._section.source}")
        self._source = cast("Source", module)
        self.suffixes = SUFFIXES | self._source.suffixes()
        self._inputs = manifest.io.inputs
        self._arrays = ArrayReader(
            inputs=self._inputs,
            section=self._section,
            arranged=getattr(module, "arranged", None),
        )

    def read(self, path: Path) -> "Arrays":
        """Return the samples of a file, for each input an array (n, *shape)."""
        if not path.is_file():
            what = "is no file" if path.exists() else "does not exist"
            raise DataError(f"{path} {what}", hint="name images, WAV files, arrays, or a folder")
        if _is_arrays(path):
            return self._arrays.read(path)
        if len(self._inputs) > 1:
            names = ", ".join(f"x.{tensor.name}" for tensor in self._inputs)
            raise DataError(f"{path} is one input of several", hint=f"give an .npz file of {names}")
        try:
            sample = self._source.read(path, self._section)
        except DataError as error:
            # What the source advises is about files of a dataset.
            raise DataError(error.message, hint=_OTHER_FORM) from error
        tensor = self._inputs[0]
        if sample.size != math.prod(tensor.shape):
            message = f"{path} gives {sample.size} values, the network takes {tensor.shape[1:]}"
            raise DataError(message, hint="deploy the model again: its manifest contradicts itself")
        return {tensor.name: sample.reshape(1, *tensor.shape[1:])}


def _is_arrays(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES


def _files(paths: Sequence[Path], suffixes: frozenset[str]) -> Iterator[Path]:
    """Yield files, and in the place of a folder those below it that may hold samples."""
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        found = [file for file in tree(path).files if file.suffix.lower() in suffixes]
        if not found:
            kinds = ", ".join(sorted(suffixes)[:10])
            message = f"no file in {path} is of a kind that the model's dataset is read from"
            raise DataError(message, hint=f"such are {kinds}")
        yield from found


def _joined(parts: "Sequence[Arrays]") -> Tensors:
    import numpy as np

    return Tensors({name: np.concatenate([part[name] for part in parts]) for name in parts[0]})
