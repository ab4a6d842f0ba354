"""Datasets whose channels are of unlike scale, seen in the first samples of an .npz file."""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from edgeflow.check.peek import arranged
from edgeflow.config.dataset import Dataset, NpzDataset, SignalDataset
from edgeflow.config.recipe import INT8
from edgeflow.errors import DataError
from edgeflow.plan import Plan
from edgeflow.plan.recipes import candidates

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FIRST = 1000
"""Samples that are looked at: enough to tell a range, and read in no time."""


def unlike_channels(plan: Plan) -> Iterator[str]:
    """Yield a warning for each dataset with input channels that int8 does not suit."""
    used = {
        plan.config.models[unit.model].dataset
        for unit in plan.units
        for recipe in (unit.recipe, *candidates(plan, unit.recipe))
        if plan.config.recipes[recipe].quantize in INT8
    }
    for name in sorted(used):
        section = plan.config.datasets[name]
        try:
            first = _first(section) if isinstance(section, NpzDataset | SignalDataset) else {}
            found = {field: _warning(section, x) for field, x in first.items()}
        except (DataError, OSError, ValueError, KeyError, zipfile.BadZipFile):
            continue  # what is wrong with a file is no matter of its channels
        for field, text in found.items():
            which = f", input {field}" if len(found) > 1 else ""
            if text:
                yield f"dataset {name}{which}, by its first {FIRST:,} samples: {text}"


def _warning(section: Dataset, x: "NDArray[np.generic]") -> str | None:
    """Return what to tell of one input's first samples."""
    import numpy as np

    from edgeflow.dataset import channels
    from edgeflow.dataset.base import RawDataset, Samples, default_scale, every
    from edgeflow.dataset.preprocess import resolved
    from edgeflow.dataset.shape import shaped

    samples = Samples(x=x, y=np.zeros(len(x), np.int64))
    raw = RawDataset(train=samples, labels=(), scale=default_scale(x.dtype))
    raw = shaped(raw, section.input_shape)
    preprocess = resolved(section.preprocess, raw, every(raw.train))
    values = raw.train.x.reshape(-1, raw.train.x.shape[-1]).astype(np.float64)
    low, high = channels.ends(values.min(axis=0), values.max(axis=0), preprocess)
    found = channels.narrow(low, high, channels.shared_scale(low, high))
    return channels.warning(found, len(low)) if found else None


def _first(section: NpzDataset | SignalDataset) -> "dict[str, NDArray[np.generic]]":
    """Return the first samples of each input, with channels last, if they lie in one piece."""
    from edgeflow.dataset.arrays import part_arrays

    with zipfile.ZipFile(Path(section.path).expanduser()) as archive:
        names = part_arrays([name.removesuffix(".npy") for name in archive.namelist()])["train"]
        read = {field: _first_of(archive, name) for field, name in names.items()}
    stored = {field: arranged(section, x) for field, x in read.items() if x is not None}
    return {field: x for field, x in stored.items() if x is not None}


def _first_of(archive: zipfile.ZipFile, name: str) -> "NDArray[np.generic] | None":
    import numpy as np

    from edgeflow.dataset.arrays import npy_header

    with archive.open(f"{name}.npy") as file:
        shape, fortran, dtype = npy_header(file)
        if fortran or dtype.hasobject or not shape:
            return None
        stored = (min(shape[0], FIRST), *shape[1:])
        data = file.read(int(np.prod(stored)) * dtype.itemsize)
    return np.frombuffer(data, dtype).reshape(stored)
