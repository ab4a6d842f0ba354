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
        for recipe in (unit.recipe, *plan.candidates(unit.recipe))
        if plan.config.recipes[recipe].quantize in INT8
    }
    for name in sorted(used):
        section = plan.config.datasets[name]
        try:
            found = _warning(section)
        except (DataError, OSError, ValueError, KeyError, zipfile.BadZipFile):
            continue  # what is wrong with a file is no matter of its channels
        if found:
            yield f"dataset {name}, by its first {FIRST:,} samples: {found}"


def _warning(section: Dataset) -> str | None:
    import numpy as np

    from edgeflow.dataset import channels
    from edgeflow.dataset.base import UINT8_SCALE, RawDataset, Samples, every
    from edgeflow.dataset.preprocess import resolved
    from edgeflow.dataset.shape import shaped

    x = _first(section) if isinstance(section, NpzDataset | SignalDataset) else None
    if x is None:
        return None
    samples = Samples(x=x, y=np.zeros(len(x), np.int64))
    scale = UINT8_SCALE if x.dtype == "uint8" else 1.0
    raw = shaped(RawDataset(train=samples, labels=(), scale=scale), section.input_shape)
    preprocess = resolved(section.preprocess, raw, every(raw.train))
    values = raw.train.x.reshape(-1, raw.train.x.shape[-1]).astype(np.float64)
    low, high = channels.ends(values.min(axis=0), values.max(axis=0), preprocess)
    found = channels.narrow(low, high, channels.shared_scale(low, high))
    return channels.warning(found, len(low)) if found else None


def _first(section: NpzDataset | SignalDataset) -> "NDArray[np.generic] | None":
    """Return the first samples, with channels last, or None if they lie strewn in the file."""
    import numpy as np

    from edgeflow.dataset.arrays import npy_header, part_arrays

    with zipfile.ZipFile(Path(section.path).expanduser()) as archive:
        names = part_arrays([name.removesuffix(".npy") for name in archive.namelist()])
        with archive.open(f"{names['train']}.npy") as file:
            shape, fortran, dtype = npy_header(file)
            if fortran or dtype.hasobject or not shape:
                return None
            stored = (min(shape[0], FIRST), *shape[1:])
            data = file.read(int(np.prod(stored)) * dtype.itemsize)
    return arranged(section, np.frombuffer(data, dtype).reshape(stored))
