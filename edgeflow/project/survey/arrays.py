"""Surveys a dataset of arrays, which is read whole, as a build reads it."""

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from edgeflow.config.dataset import Dataset
from edgeflow.dataset.base import RawDataset, Samples
from edgeflow.dataset.build import load_raw, require_parts
from edgeflow.dataset.tensors import stored
from edgeflow.errors import DataError
from edgeflow.project.survey.balance import balance
from edgeflow.project.survey.base import Advance, Survey
from edgeflow.project.survey.copies import Copies
from edgeflow.project.survey.finding import Finding, about, counted
from edgeflow.project.survey.pictures import CLASSES, picture, spread
from edgeflow.tasks.registry import DEFAULT, task_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROWS = 1024
"""Samples that are looked at together."""


def survey_arrays(name: str, section: Dataset, advance: Advance) -> Survey:
    """Return what there is to say of a dataset of arrays, or of one that edgeflow brings."""
    survey = Survey(name=name, source=section.source, path=str(getattr(section, "path", "") or ""))
    try:
        raw = load_raw(section)
    except DataError as error:
        survey.findings = [Finding(level="error", message=error.message, hint=error.hint)]
        return survey
    survey.facts = _facts(raw)
    survey.findings = [*_of_split(raw, section), *_of_values(raw), *_of_copies(raw, advance)]
    if task_of(section).classes and not any(f.level == "error" for f in survey.findings):
        survey.counts = _counts(raw)
        survey.findings += balance(survey.counts["train"]) if section.task == DEFAULT else ()
        survey.pictures = dict(_pictures(raw))
    survey.findings += [Finding(level="note", message=note) for note in raw.notes]
    survey.sort()
    return survey


def _facts(raw: RawDataset) -> dict[str, str]:
    found = {}
    for name, array in stored(raw.train.x).arrays.items():
        shape = " x ".join(map(str, array.shape[1:]))
        title = "samples" if len(raw.inputs) == 1 else f"samples of {name}"
        found[title] = f"{shape}, {array.dtype}, {array.min():g} to {array.max():g}"
    given = {part: len(samples.y) for part, samples in raw.parts().items()}
    return {
        **found,
        "number of samples": ", ".join(f"{part} {count:,}" for part, count in given.items()),
    }


def _of_split(raw: RawDataset, section: Dataset) -> Iterator[Finding]:
    try:
        require_parts(raw, section)
    except DataError as error:
        yield Finding(level="error", message=error.message, hint=error.hint)


def _of_values(raw: RawDataset) -> Iterator[Finding]:
    for part, samples in raw.parts().items():
        for name, array in stored(samples.x).arrays.items():
            of = f" of {name}" if len(raw.inputs) > 1 else ""
            same = list(_constant(array))
            if same:
                what = f"{counted(len(same), 'sample')}{of} of {part} hold one value throughout"
                yield about(
                    "warning",
                    what,
                    [f"number {number}" for number in same],
                    "remove those that say nothing",
                )
            if part == "train" and array.ndim > 1 and array.shape[-1] > 1:
                yield from _of_channels(array, of)
    yield from _of_targets(raw)


def _constant(array: "NDArray[Any]") -> Iterator[int]:
    """Yield the numbers of samples of more than one value, all equal."""
    import numpy as np

    for start in range(0, len(array), ROWS):
        rows = array[start : start + ROWS].reshape(len(array[start : start + ROWS]), -1)
        if rows.shape[1] > 1:
            yield from (start + np.flatnonzero((rows == rows[:, :1]).all(axis=1))).tolist()


def _of_channels(array: "NDArray[Any]", of: str) -> Iterator[Finding]:
    import numpy as np

    flat = array.reshape(-1, array.shape[-1])
    still = np.flatnonzero(flat.min(axis=0) == flat.max(axis=0)).tolist()
    if still:
        what = f"{len(still)} of {flat.shape[1]} channels{of} have one value in all of train"
        yield about(
            "warning",
            what,
            [f"channel {number}" for number in still],
            "they tell nothing, and cost the device: leave them out",
        )


def _of_targets(raw: RawDataset) -> Iterator[Finding]:
    import numpy as np

    truth = raw.train.y
    if truth.ndim == 2 and len(truth):
        still = np.flatnonzero(truth.min(axis=0) == truth.max(axis=0)).tolist()
        if still:
            names = [raw.labels[number] for number in still if number < len(raw.labels)]
            yield about("warning", "targets have one value in all of train", names)


def _of_copies(raw: RawDataset, advance: Advance) -> Iterator[Finding]:
    copies = Copies(drawn=raw.test is None)
    for part, samples in raw.parts().items():
        for number, (sample, label) in enumerate(zip(samples.x, _labels(samples), strict=False)):
            digest = hashlib.sha256(sample.tobytes()).digest()
            copies.add(f"{part} {number}", part, label, digest, None)
            advance()
    yield from copies.findings()


def _labels(samples: Samples) -> list[str]:
    """Return what tells the class of each sample: its number, or its targets."""
    return [str(truth) for truth in samples.y.tolist()]


def _counts(raw: RawDataset) -> dict[str, dict[str, int]]:
    import numpy as np

    return {
        part: dict(
            zip(raw.labels, np.bincount(s.y, minlength=len(raw.labels)).tolist(), strict=True)
        )
        for part, s in raw.parts().items()
    }


def _pictures(raw: RawDataset) -> Iterator[tuple[str, list[Any]]]:
    import numpy as np

    x = next(iter(stored(raw.train.x).arrays.values()))
    for number, label in enumerate(raw.labels[:CLASSES]):
        members = np.flatnonzero(raw.train.y == number)
        chosen = [int(members[place]) for place in sorted(spread(len(members)))]
        made = (picture(f"train {one}", _levels(x[one], raw.scale)) for one in chosen)
        yield label, [each for each in made if each]


def _levels(sample: "NDArray[Any]", scale: float) -> "NDArray[Any]":
    """Return pixels of fewer than 256 levels, as of scikit-learn's digits, over the whole range."""
    import numpy as np

    if sample.dtype != np.uint8:
        return sample
    return np.clip(sample * (255 * scale), 0, 255).astype(np.uint8)
