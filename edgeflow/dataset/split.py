"""Deterministic stratified splits: the same seed and samples give the same parts."""

from typing import TYPE_CHECKING

from edgeflow.config.dataset import Dataset
from edgeflow.dataset.base import RawDataset, Samples, Selection, every
from edgeflow.dataset.quota import quotas
from edgeflow.dataset.view import Part
from edgeflow.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Index = NDArray[np.int64]


def split_dataset(raw: RawDataset, section: Dataset) -> dict[Part, Selection]:
    """Split a dataset into train, validation, test and calibration.

    Every part holds at least one sample of each class, in random order, except the sets that the
    source brings, which keep theirs. The calibration samples are train samples too, so they are
    in neither the test nor the validation set. For `task: anomaly` the test set alone has
    anomalies: all that there are.

    Raises:
        DataError: a class, or the whole, is too small for that.
    """
    import numpy as np

    rng = np.random.default_rng(section.seed)
    everything = _Cutter(raw.labels, rng)
    cutter = _Cutter(raw.labels[:1], rng) if section.task == "anomaly" else everything
    validated = int(raw.validation is None)  # samples of each class that the others must leave
    if raw.test is None:
        pool = everything.limited(raw.train, section.limit, 2 + validated, "the source")
        pool, anomalies = _apart(pool, len(cutter.labels))
        test, pool = cutter.cut(pool, round(len(pool.index) * section.test), leave=1 + validated)
        test = _mixed(test, anomalies, rng)
    else:
        pool = cutter.limited(raw.train, section.limit, 1 + validated, "the train set")
        test = everything.limited(raw.test, section.limit, 1, "the test set")
    if raw.validation is None:
        validation, train = cutter.cut(pool, round(len(pool.index) * section.validation), leave=1)
    else:
        validation = cutter.limited(raw.validation, section.limit, 1, "the validation set")
        train = pool
    calibration = cutter.calibration(train, section.calibration)
    return {"train": train, "validation": validation, "test": test, "calibration": calibration}


def _apart(samples: Selection, learned: int) -> tuple[Selection, Selection]:
    """Return the samples of the first `learned` classes, and those of the others."""
    import numpy as np

    known = samples.y < learned
    return samples.at(np.flatnonzero(known)), samples.at(np.flatnonzero(~known))


def _mixed(one: Selection, other: Selection, rng: "np.random.Generator") -> Selection:
    """Return the samples of both in random order; where `other` is empty, `one` as it is."""
    import numpy as np

    if not len(other.index):
        return one
    both = np.concatenate([one.index, other.index])
    return Selection(samples=one.samples, index=both[rng.permutation(len(both))])


class _Cutter:
    """Takes stratified samples, all from one stream of random numbers."""

    def __init__(self, labels: tuple[str, ...], rng: "np.random.Generator") -> None:
        self.labels = labels
        self.rng = rng

    def limited(self, given: Samples, limit: int | None, least: int, where: str) -> Selection:
        """Return at most `limit` samples, with at least `least` of each class."""
        samples = every(given)
        self._require(samples, least, where)
        if limit is None or limit >= len(samples.index):
            return samples
        if limit < least * len(self.labels):
            raise DataError(
                f"a limit of {limit} cannot hold {least} sample(s) of each of "
                f"{len(self.labels)} classes",
                hint=f"set `limit:` to {least * len(self.labels)} or more",
            )
        return samples.at(self._draw(samples, limit, least=least, leave=0)[0])

    def cut(self, samples: Selection, count: int, leave: int) -> tuple[Selection, Selection]:
        """Return about `count` samples and the rest, which keeps `leave` of each class.

        `count` gives way where it is too small, or leaves too little, for all classes.
        """
        classes = len(self.labels)
        count = min(max(count, classes), len(samples.index) - leave * classes)
        taken, rest = self._draw(samples, count, least=1, leave=leave)
        return samples.at(taken), samples.at(rest)

    def calibration(self, train: Selection, count: int) -> Selection:
        """Return `count` of the train samples."""
        if count > len(train.index):
            raise DataError(
                f"calibration asks for {count} samples, the train part has {len(train.index)}",
                hint=f"set `calibration:` to {len(train.index)} or less",
            )
        if count < len(self.labels):
            raise DataError(
                f"{count} calibration samples cannot show each of {len(self.labels)} classes",
                hint=f"set `calibration:` to {len(self.labels)} or more",
            )
        return train.at(self._draw(train, count, least=1, leave=0)[0])

    def _require(self, samples: Selection, least: int, where: str) -> None:
        import numpy as np

        counts = np.bincount(samples.y, minlength=len(self.labels)).tolist()
        for label, count in zip(self.labels, counts, strict=True):
            if count < least:
                raise DataError(
                    f"class {label!r} is too small: it has {count} sample(s) in {where}, and the "
                    f"split needs {least}",
                    hint=f"add samples of {label!r}, or remove the class",
                )

    def _draw(
        self, samples: Selection, count: int, *, least: int, leave: int
    ) -> "tuple[Index, Index]":
        """Return the positions of `count` stratified samples and of all others, both shuffled."""
        import numpy as np

        y = samples.y
        available = np.bincount(y, minlength=len(self.labels)).tolist()
        taken, rest = [], []
        for number, quota in enumerate(quotas(available, count, least=least, leave=leave)):
            members = self.rng.permutation(np.flatnonzero(y == number))
            taken.append(members[:quota])
            rest.append(members[quota:])
        return (
            self.rng.permutation(np.concatenate(taken)),
            self.rng.permutation(np.concatenate(rest)),
        )
