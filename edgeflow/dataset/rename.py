"""The order of the classes that the user asks for."""

from collections.abc import Sequence
from dataclasses import replace

from edgeflow.dataset.base import RawDataset, Samples
from edgeflow.errors import DataError


def renamed(raw: RawDataset, labels: Sequence[str] | None) -> RawDataset:
    """Return a dataset whose classes are numbered in the order of `labels`.

    Args:
        raw: as its source gave it.
        labels: all names of its classes; None leaves them as they are.

    Raises:
        DataError: a name is missing, or one that the source has not.
    """
    if labels is None or tuple(labels) == raw.labels:
        return raw
    if sorted(labels) != sorted(raw.labels):
        unknown = [name for name in labels if name not in raw.labels]
        missing = [name for name in raw.labels if name not in labels]
        wrong = [
            *([f"it has no class {', '.join(map(repr, unknown))}"] if unknown else []),
            *([f"its {', '.join(map(repr, missing))} is not listed"] if missing else []),
        ]
        raise DataError(
            f"`labels` does not fit the source: {'; '.join(wrong)}",
            hint=f"list exactly these, in the order you want: {', '.join(raw.labels)}",
        )
    numbers = [list(labels).index(name) for name in raw.labels]
    return replace(
        raw,
        labels=tuple(labels),
        train=_renumbered(raw.train, numbers),
        validation=raw.validation and _renumbered(raw.validation, numbers),
        test=raw.test and _renumbered(raw.test, numbers),
    )


def _renumbered(samples: Samples, numbers: Sequence[int]) -> Samples:
    """Return samples with new class numbers, each given at the place of the old one."""
    import numpy as np

    return replace(samples, y=np.asarray(numbers, np.int64)[samples.y])
