"""Unpickling that can make numpy arrays and plain containers, and can run nothing else."""

import pickle
from pathlib import Path
from typing import IO, Any

from edgeflow.errors import DataError

_ALLOWED = frozenset(
    {
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy", "ndarray"),
        ("numpy", "dtype"),
    }
)


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        module = module.replace("numpy.core.", "numpy._core.")  # its name before numpy 2
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no array needs")
        return super().find_class(module, name)


def unpickle_arrays(stream: IO[bytes], source: Path) -> Any:
    """Return the object in a pickle; text that Python 2 wrote becomes bytes.

    Args:
        source: the file to name in messages.

    Raises:
        DataError: the pickle is corrupt, or names anything but numpy's arrays.
    """
    try:
        return _ArrayUnpickler(stream, encoding="bytes").load()
    except Exception as error:  # corrupt bytes make pickle raise nearly every built-in error
        raise DataError(
            f"{source} cannot be read as pickled arrays: {error}",
            hint=f"delete {source} and fetch the original again",
        ) from error
