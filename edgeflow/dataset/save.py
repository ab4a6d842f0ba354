"""Writes a part's arrays a piece at a time, so that a large set is in memory once."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeflow.config.samples import Part
from edgeflow.dataset.base import Selection
from edgeflow.dataset.tensors import stored

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

PIECE_BYTES = 1 << 22
"""Size of the samples that are copied at a time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SavedInput:
    """What a part's samples of one input turned out to be while they were written.

    Attributes:
        dtype: as stored.
        low: smallest stored value of each channel, float64 (channels,).
        high: largest stored value of each channel, float64 (channels,).
    """

    dtype: str
    low: "NDArray[np.float64]"
    high: "NDArray[np.float64]"


@dataclass(frozen=True, kw_only=True, slots=True)
class SavedPart:
    """What a part's samples turned out to be while they were written.

    Attributes:
        inputs: by name.
        digests: of each sample's bytes, in their order.
    """

    inputs: Mapping[str, SavedInput]
    digests: list[bytes]


def pieces(selection: Selection) -> "Iterator[NDArray[np.generic]]":
    """Yield the samples of a selection, some at a time, in C order."""
    import numpy as np

    size = max(1, PIECE_BYTES // selection.samples.x[:1].nbytes)
    for start in range(0, len(selection.index), size):
        # a transposed view would be stored in Fortran order, with other bytes for equal samples
        taken = selection.index[start : start + size]
        yield np.ascontiguousarray(selection.samples.x[taken])


def save_part(folder: Path, part: Part, selection: Selection) -> SavedPart:
    """Write ``{part}_x.npy`` and ``{part}_y.npy``."""
    import numpy as np

    x = selection.samples.x
    ends: dict[str, list[tuple[Any, Any]]] = {name: [] for name in stored(x).arrays}
    digests: list[bytes] = []
    with (folder / f"{part}_x.npy").open("wb") as file:
        header = {
            "descr": np.lib.format.dtype_to_descr(x.dtype),
            "fortran_order": False,
            "shape": (len(selection.index), *x.shape[1:]),
        }
        np.lib.format.write_array_header_1_0(file, header)
        for piece in pieces(selection):
            file.write(piece.tobytes())
            for name, array in stored(piece).arrays.items():
                ends[name].append(_ends(array))
            digests += [hashlib.blake2b(one.tobytes(), digest_size=16).digest() for one in piece]
    np.save(folder / f"{part}_y.npy", selection.y, allow_pickle=False)
    inputs = {
        name: _input(str(array.dtype), ends[name]) for name, array in stored(x).arrays.items()
    }
    return SavedPart(inputs=inputs, digests=digests)


def _ends(array: "NDArray[Any]") -> tuple[Any, Any]:
    """Return the smallest and the largest value of each channel."""
    channels = array.shape[-1]
    low, high = (find(axis=0).reshape(-1, channels) for find in (array.min, array.max))
    return low.min(axis=0), high.max(axis=0)


def _input(dtype: str, ends: "Sequence[tuple[Any, Any]]") -> SavedInput:
    import numpy as np

    lows, highs = zip(*ends, strict=True)
    return SavedInput(
        dtype=dtype,
        low=np.min(lows, axis=0).astype(np.float64),
        high=np.max(highs, axis=0).astype(np.float64),
    )
