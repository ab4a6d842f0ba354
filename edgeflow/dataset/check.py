"""What must hold of any dataset before it is split."""

from unicodedata import category

from edgeflow.dataset.base import RawDataset, Samples, every
from edgeflow.errors import DataError

_UNFIT = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Unicode's categories of control characters, of surrogates (which stand for bytes that are no
UTF-8), and of separators of lines and paragraphs."""


def check(raw: RawDataset, *, values: bool = True) -> None:
    """Refuse samples that no network could be trained on.

    Args:
        raw: the dataset.
        values: whether to look at the samples, too, not only at their number, shape and classes.

    Raises:
        DataError: with the first thing that is wrong.
    """
    if len(raw.labels) < 2:
        raise DataError(
            f"the dataset has {len(raw.labels)} class(es); a classifier needs two or more",
            hint="add samples of another class",
        )
    _check_labels(raw.labels)
    for part, samples in raw.parts().items():
        _check_part(part, samples, raw.labels)
        if values and samples.x.dtype != "uint8":
            _check_finite(part, samples)
        if (raw.train.x.shape[1:], raw.train.x.dtype) != (samples.x.shape[1:], samples.x.dtype):
            raise DataError(
                f"train samples are {raw.train.x.dtype} {raw.train.x.shape[1:]}, {part} samples "
                f"{samples.x.dtype} {samples.x.shape[1:]}",
                hint="give all parts the same shape and dtype",
            )


def _check_labels(labels: tuple[str, ...]) -> None:
    """Refuse names that would break the lines of tables, or that no file can hold."""
    odd = [label for label in labels if any(category(one) in _UNFIT for one in label)]
    if odd:
        raise DataError(
            f"names of classes have control characters or are not UTF-8: "
            f"{', '.join(map(ascii, odd))}",
            hint="rename these classes, such as their folders",
        )


def check_anomaly(raw: RawDataset) -> None:
    """Refuse what `task: anomaly` cannot be made of.

    Raises:
        DataError: there are not two classes, or a train or validation set of the
            source's own has anomalies.
    """
    if len(raw.labels) != 2:
        raise DataError(
            f"`task: anomaly` needs two classes, normal and anomalous; there are {len(raw.labels)}",
            hint="give all normal samples one class and all others another, or remove `task:`",
        )
    normal = {part: samples for part, samples in raw.parts().items() if part != "test"}
    for part, samples in normal.items():
        anomalous = int((samples.y == 1).sum())
        if anomalous and len(raw.parts()) > 1:
            raise DataError(
                f"the source's {part} set has {anomalous} sample(s) of {raw.labels[1]!r}, the "
                "anomalous class; `task: anomaly` learns from normal samples alone",
                hint="move them to the test set (`x_test`, `y_test`, or the folder `test`); normal "
                "samples are class 0: order the classes by `labels:`",
            )


def _check_part(part: str, samples: Samples, labels: tuple[str, ...]) -> None:
    x, y = samples.x, samples.y
    if len(x) != len(y):
        raise DataError(
            f"the {part} part has {len(x)} samples and {len(y)} class numbers",
            hint="give one class number per sample",
        )
    if len(y) and (y.min() < 0 or y.max() >= len(labels)):
        raise DataError(
            f"the {part} part has class numbers {y.min()}..{y.max()} for {len(labels)} labels",
            hint=f"number the classes from 0 to {len(labels) - 1}, or list all labels",
        )
    if 0 in x.shape[1:]:
        raise DataError(
            f"the {part} samples are empty: their shape is {x.shape[1:]}",
            hint="give samples of one pixel or more",
        )


def _check_finite(part: str, samples: Samples) -> None:
    import numpy as np

    finite = np.isfinite(samples.x).reshape(len(samples.x), -1).all(axis=1)
    bad = np.flatnonzero(~finite)
    if len(bad):
        raise DataError(
            f"{len(bad)} sample(s) of the {part} part hold NaN or infinity, the first is "
            f"{every(samples).name(int(bad[0]))}",
            hint="remove or fix these samples",
        )
