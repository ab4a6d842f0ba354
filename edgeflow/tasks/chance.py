"""Whether a classifier tells more of its samples than chance does."""

import math
from collections.abc import Sequence

from edgeflow.tasks.classification import Classification

Matrix = Sequence[Sequence[int]]
CERTAIN = 2.0
"""Standard errors above chance from which a classifier is better than that."""


def chance_note(metric: str | None, matrix: Matrix) -> str:
    """Return what is to be said of a classifier that is no better than chance; else nothing.

    Cohen's kappa is 0 where decisions and truth agree as often as independent ones would, and 1
    where they always agree: "A Coefficient of Agreement for Nominal Scales", 1960, which has its
    standard error as well. Unlike accuracy it is not fooled by a frequent class.

    Args:
        metric: what it is judged by; other tasks than classification are passed over.
        matrix: counts by true class (row) and decision (column).
    """
    if metric != Classification.metric.name:
        return ""
    total = sum(map(sum, matrix))
    seen = sum(row[number] for number, row in enumerate(matrix))
    pairs = zip(map(sum, matrix), map(sum, zip(*matrix, strict=True)), strict=True)
    expected = sum(truth * decided for truth, decided in pairs) / max(total, 1)
    if not total or expected == total:  # a test set of one class tells nothing
        return ""
    kappa = (seen - expected) / (total - expected)
    error = math.sqrt(expected / (total * (total - expected)))
    if kappa > CERTAIN * error:
        return ""
    return (
        f"before any recipe it is right for {seen:,} of {total:,} samples, which is no better than "
        "chance: check `preprocess:` of its dataset and the order of `labels:`"
    )
