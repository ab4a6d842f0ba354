"""Deterministic splits: the same seed and samples give the same parts."""

from typing import TYPE_CHECKING

from edgeflow.config.dataset import Dataset
from edgeflow.config.samples import Part
from edgeflow.dataset.base import RawDataset, Samples, Selection, every
from edgeflow.dataset.quota import quotas
from edgeflow.errors import DataError
from edgeflow.tasks.base import Task
from edgeflow.tasks.registry import task_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Index = NDArray[np.int64]


def split_dataset(raw: RawDataset, section: Dataset) -> dict[Part, Selection]:
    """Split a dataset into train, validation, test and calibration.

    Draws are stratified as the task says, by class or not at all. Every part holds at least one
    sample of each stratum, in random order, except the sets that the source brings, which keep
    theirs. The calibration samples are train samples too, so they are in neither the test nor the
    validation set. What the task does not learn from, anomalies, is all in the test set.

    Raises:
        DataError: a stratum, or the whole, is too small for that.
    """
    import numpy as np

    rng = np.random.default_rng(section.seed)
    task = task_of(section)
    everything = _Cutter(task, task.strata_names(raw.labels), rng)
    cutter = _Cutter(task, everything.names[: task.learned(raw.labels)], rng)
    validated = int(raw.validation is None)  # samples of each stratum that the others must leave
    if raw.test is None:
        pool = everything.limited(raw.train, section.limit, 2 + validated, "the source")
        pool, anomalies = cutter.apart(pool)
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


def _mixed(one: Selection, other: Selection, rng: "np.random.Generator") -> Selection:
    """Return the samples of both in random order; where `other` is empty, `one` as it is."""
    import numpy as np

    if not len(other.index):
        return one
    both = np.concatenate([one.index, other.index])
    return Selection(samples=one.samples, index=both[rng.permutation(len(both))])


class _Cutter:
    """Takes stratified samples, all from one stream of random numbers."""

    def __init__(self, task: Task, names: tuple[str, ...], rng: "np.random.Generator") -> None:
        self.task, self.names, self.rng = task, names, rng

    def apart(self, samples: Selection) -> tuple[Selection, Selection]:
        """Return the samples of the strata that it cuts, and all others."""
        import numpy as np

        known = self.task.strata(samples.y) < len(self.names)
        return samples.at(np.flatnonzero(known)), samples.at(np.flatnonzero(~known))

    def limited(self, given: Samples, limit: int | None, least: int, where: str) -> Selection:
        """Return at most `limit` samples, with at least `least` of each stratum."""
        samples = every(given)
        self._require(samples, least, where)
        if limit is None or limit >= len(samples.index):
            return samples
        if limit < least * len(self.names):
            raise DataError(
                f"a limit of {limit} cannot hold {least} sample(s){self._of_each()}",
                hint=f"set `limit:` to {least * len(self.names)} or more",
            )
        return samples.at(self._draw(samples, limit, least=least, leave=0)[0])

    def cut(self, samples: Selection, count: int, leave: int) -> tuple[Selection, Selection]:
        """Return about `count` samples and the rest, which keeps `leave` of each stratum.

        `count` gives way where it is too small, or leaves too little, for all of them.
        """
        strata = len(self.names)
        count = min(max(count, strata), len(samples.index) - leave * strata)
        taken, rest = self._draw(samples, count, least=1, leave=leave)
        return samples.at(taken), samples.at(rest)

    def calibration(self, train: Selection, count: int) -> Selection:
        """Return `count` of the train samples."""
        if count > len(train.index):
            raise DataError(
                f"calibration asks for {count} samples, the train part has {len(train.index)}",
                hint=f"set `calibration:` to {len(train.index)} or less",
            )
        if count < len(self.names):
            raise DataError(
                f"{count} calibration samples cannot show each of {len(self.names)} classes",
                hint=f"set `calibration:` to {len(self.names)} or more",
            )
        return train.at(self._draw(train, count, least=1, leave=0)[0])

    def _require(self, samples: Selection, least: int, where: str) -> None:
        import numpy as np

        counts = np.bincount(self.task.strata(samples.y), minlength=len(self.names)).tolist()
        for name, count in zip(self.names, counts, strict=True):
            if count < least and not self._of_each():
                raise DataError(
                    f"{where} is too small: it has {count} sample(s), and the split needs {least}",
                    hint="add samples",
                )
            if count < least:
                raise DataError(
                    f"class {name!r} is too small: it has {count} sample(s) in {where}, and the "
                    f"split needs {least}",
                    hint=f"add samples of {name!r}, or remove the class",
                )

    def _of_each(self) -> str:
        """Return which samples a share is of, in words; empty where there are no classes."""
        return f" of each of {len(self.names)} classes" if len(self.names) > 1 else ""

    def _draw(
        self, samples: Selection, count: int, *, least: int, leave: int
    ) -> "tuple[Index, Index]":
        """Return the positions of `count` stratified samples and of all others, both shuffled."""
        import numpy as np

        strata = self.task.strata(samples.y)
        available = np.bincount(strata, minlength=len(self.names)).tolist()
        taken, rest = [], []
        for number, quota in enumerate(quotas(available, count, least=least, leave=leave)):
            members = self.rng.permutation(np.flatnonzero(strata == number))
            taken.append(members[:quota])
            rest.append(members[quota:])
        return (
            self.rng.permutation(np.concatenate(taken)),
            self.rng.permutation(np.concatenate(rest)),
        )
