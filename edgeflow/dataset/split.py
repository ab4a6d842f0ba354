"""Deterministic stratified splits: the same seed and samples give the same parts."""

from typing import TYPE_CHECKING

from edgeflow.config.dataset import Dataset
from edgeflow.dataset.base import RawDataset, Samples
from edgeflow.dataset.quota import quotas
from edgeflow.dataset.view import Part
from edgeflow.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Index = NDArray[np.int64]


def split_dataset(raw: RawDataset, options: Dataset) -> dict[Part, Samples]:
    """Split a dataset into train, validation, test and calibration.

    Every part holds at least one sample of each class, in random order, except a test set
    that the source brings, which keeps its order. The calibration samples are train samples
    too, so they are in neither the test nor the validation set. For `task: anomaly` the test set
    alone has anomalies: all that there are.

    Raises:
        DataError: a class, or the whole, is too small for that.
    """
    import numpy as np

    rng = np.random.default_rng(options.seed)
    everything = _Cutter(raw.labels, rng)
    cutter = _Cutter(raw.labels[:1], rng) if options.task == "anomaly" else everything
    if raw.test is None:
        pool = everything.limited(raw.train, options.limit, least=3)
        pool, anomalies = _apart(pool, len(cutter.labels))
        test, pool = cutter.cut(pool, round(len(pool.y) * options.test), leave=2)
        test = _mixed(test, anomalies, rng)
    else:
        pool = cutter.limited(raw.train, options.limit, least=2)
        test = everything.limited(raw.test, options.limit, least=1)
    validation, train = cutter.cut(pool, round(len(pool.y) * options.validation), leave=1)
    calibration = cutter.calibration(train, options.calibration)
    return {"train": train, "validation": validation, "test": test, "calibration": calibration}


def _apart(samples: Samples, learned: int) -> tuple[Samples, Samples]:
    """Return the samples of the first `learned` classes, and those of the others."""
    import numpy as np

    known = samples.y < learned
    return samples.at(np.flatnonzero(known)), samples.at(np.flatnonzero(~known))


def _mixed(one: Samples, other: Samples, rng: "np.random.Generator") -> Samples:
    """Return the samples of both in random order; where `other` is empty, `one` as it is."""
    import numpy as np

    if not len(other.y):
        return one
    both = Samples(x=np.concatenate([one.x, other.x]), y=np.concatenate([one.y, other.y]))
    return both.at(rng.permutation(len(both.y)))


class _Cutter:
    """Takes stratified samples, all from one stream of random numbers."""

    def __init__(self, labels: tuple[str, ...], rng: "np.random.Generator") -> None:
        self.labels = labels
        self.rng = rng

    def limited(self, samples: Samples, limit: int | None, least: int) -> Samples:
        """Return at most `limit` samples, with at least `least` of each class."""
        self._require(samples, least)
        if limit is None or limit >= len(samples.y):
            return samples
        if limit < least * len(self.labels):
            raise DataError(
                f"a limit of {limit} cannot hold {least} sample(s) of each of "
                f"{len(self.labels)} classes",
                hint=f"set `limit:` to {least * len(self.labels)} or more",
            )
        return samples.at(self._draw(samples, limit, least=least, leave=0)[0])

    def cut(self, samples: Samples, count: int, leave: int) -> tuple[Samples, Samples]:
        """Return about `count` samples and the rest, which keeps `leave` of each class.

        `count` gives way where it is too small, or leaves too little, for all classes.
        """
        classes = len(self.labels)
        count = min(max(count, classes), len(samples.y) - leave * classes)
        taken, rest = self._draw(samples, count, least=1, leave=leave)
        return samples.at(taken), samples.at(rest)

    def calibration(self, train: Samples, count: int) -> Samples:
        """Return `count` of the train samples."""
        if count > len(train.y):
            raise DataError(
                f"calibration asks for {count} samples, the train part has {len(train.y)}",
                hint=f"set `calibration:` to {len(train.y)} or less",
            )
        if count < len(self.labels):
            raise DataError(
                f"{count} calibration samples cannot show each of {len(self.labels)} classes",
                hint=f"set `calibration:` to {len(self.labels)} or more",
            )
        return train.at(self._draw(train, count, least=1, leave=0)[0])

    def _require(self, samples: Samples, least: int) -> None:
        import numpy as np

        counts = np.bincount(samples.y, minlength=len(self.labels)).tolist()
        for label, count in zip(self.labels, counts, strict=True):
            if count < least:
                raise DataError(
                    f"class {label!r} is too small: it has {count} sample(s), and the split "
                    f"needs {least}",
                    hint=f"add samples of {label!r}, or remove the class",
                )

    def _draw(
        self, samples: Samples, count: int, *, least: int, leave: int
    ) -> "tuple[Index, Index]":
        """Return the positions of `count` stratified samples and of all others, both shuffled."""
        import numpy as np

        available = np.bincount(samples.y, minlength=len(self.labels)).tolist()
        taken, rest = [], []
        for number, quota in enumerate(quotas(available, count, least=least, leave=leave)):
            members = self.rng.permutation(np.flatnonzero(samples.y == number))
            taken.append(members[:quota])
            rest.append(members[quota:])
        return (
            self.rng.permutation(np.concatenate(taken)),
            self.rng.permutation(np.concatenate(rest)),
        )
