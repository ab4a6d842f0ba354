"""Files between an import and its worker: an .npy file for each input and each output."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeflow.dataset.tensors import Tensors

if TYPE_CHECKING:
    from numpy.typing import NDArray


def write_samples(samples: Tensors, folder: Path) -> None:
    """Write the samples of each input for a worker."""
    import numpy as np

    for place, array in enumerate(samples.arrays.values()):
        np.save(folder / f"input_{place:02}.npy", array)


def read_samples(names: Sequence[str], folder: Path) -> Tensors:
    """Return what `write_samples` wrote."""
    import numpy as np

    return Tensors(
        {name: np.load(folder / f"input_{place:02}.npy") for place, name in enumerate(names)}
    )


def write_outputs(outputs: "Sequence[NDArray[Any]]", folder: Path) -> None:
    """Write a worker's outputs by position, to compare."""
    import numpy as np

    for place, array in enumerate(outputs):
        np.save(folder / f"output_{place:02}.npy", array)
