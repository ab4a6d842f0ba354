"""Arrays of the user: .npy and .npz files, with samples as datasets store them."""

import math
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeflow.bundle.manifest import InputTensor
from edgeflow.config.dataset import Dataset
from edgeflow.dataset.arrays import part_arrays
from edgeflow.dataset.base import GivenPart
from edgeflow.dataset.tensors import stored
from edgeflow.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

SUFFIXES = frozenset({".npy", ".npz"})
_ORDER: tuple[GivenPart, ...] = ("test", "validation", "train")
"""Of a dataset's own file the part is read that no network was fitted to."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ArrayReader:
    """Reads files of arrays for one network.

    Attributes:
        inputs: of the network.
        section: of its dataset.
        arranged: brings arrays into the form of the dataset's samples, where its source has any.
    """

    inputs: Sequence[InputTensor]
    section: Dataset
    arranged: "Callable[[Array, Any], Array | None] | None"

    def read(self, path: Path) -> "dict[str, Array]":
        """Return the samples in a file, for each input an array (n, *shape).

        They are the one array of an .npy file, or `x`, `x_test` and the like of an .npz file, in
        the shape that the network takes or in that of the dataset's own file; or one such sample.

        Raises:
            DataError: the file cannot be read, or holds something else.
        """
        found, wanted = _load(path), {tensor.name: tensor for tensor in self.inputs}
        if found.keys() != wanted.keys():
            inputs = f"samples of the inputs {', '.join(found)}"
            message = f"{path} holds {inputs if found else 'no arrays of samples'}"
            raise DataError(message, hint=self._hint())
        made = {name: self._fitted(path, found[name], tensor) for name, tensor in wanted.items()}
        counts = {len(array) for array in made.values()}
        if len(counts) > 1 or 0 in counts:
            listed = ", ".join(f"{name} {len(array)}" for name, array in made.items())
            raise DataError(f"{path}: numbers of samples: {listed}", hint=self._hint())
        return made

    def _fitted(self, path: Path, array: "Array", tensor: InputTensor) -> "Array":
        import numpy as np

        shape = tuple(tensor.shape[1:])
        given = f"{path}: {tensor.name} is {array.dtype} {array.shape}"
        if tensor.stored == "float32" and array.dtype.kind == "f":
            array = array.astype(np.float32)
        found = next(self._forms(array, shape), None) if array.dtype == tensor.stored else None
        if found is None:
            raise DataError(given, hint=self._hint())
        if not np.isfinite(found).all():
            raise DataError(f"{path} holds NaN or infinity", hint="remove or fix these samples")
        return found

    def _forms(self, array: "Array", shape: tuple[int, ...]) -> "Iterator[Array]":
        """Yield an array as samples of a shape, in each way in which it may be meant."""
        for samples in (array, array[None]):
            first = getattr(self.section, "data_format", None) == "channels_first"
            ways = [self._as_in_the_dataset, lambda x: x]
            for way in ways if first else reversed(ways):
                form = way(samples)
                if form is None:
                    continue
                reshaped = self.section.input_shape is not None
                alike = math.prod(form.shape[1:]) == math.prod(shape) and reshaped
                if form.ndim > 1 and (form.shape[1:] == shape or alike):
                    yield form.reshape(len(form), *shape)

    def _as_in_the_dataset(self, samples: "Array") -> "Array | None":
        if self.arranged is not None:
            return self.arranged(samples, self.section)
        return samples[..., None] if samples.ndim == 3 else None  # grey images without a channel

    def _hint(self) -> str:
        def form(tensor: InputTensor) -> str:
            return f"{tensor.stored} (n, {', '.join(map(str, tensor.shape[1:]))})"

        if len(self.inputs) == 1:
            return (
                f"the network takes {form(self.inputs[0])}: np.save(path, x), np.savez(path, x=x)"
            )
        forms = ", ".join(f"x.{tensor.name} {form(tensor)}" for tensor in self.inputs)
        return f"the network takes {forms}: np.savez(path, **arrays)"


def _load(path: Path) -> "Mapping[str, Array]":
    """Return the arrays of one part in a file, by input."""
    import numpy as np

    try:
        with path.open("rb") as stream:
            loaded = np.load(stream, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return stored(loaded).arrays
            parts = part_arrays(loaded.files)
            named = next((parts[part] for part in _ORDER if part in parts), {})
            return {field: np.asarray(loaded[name]) for field, name in named.items()}
    except (
        AttributeError,  # a member that is no array comes as bytes
        EOFError,
        MemoryError,  # a header may say any shape
        OSError,
        RuntimeError,  # members under a password
        TypeError,
        ValueError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        why = "it holds pickled objects" if "allow_pickle" in str(error) else error
        message = f"{path} cannot be read as arrays: {why}"
        raise DataError(message, hint="write it with np.save or np.savez") from error
