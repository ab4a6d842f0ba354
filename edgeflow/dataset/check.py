"""What must hold of any dataset before it is split."""

from edgeflow.dataset.base import RawDataset, Samples
from edgeflow.errors import DataError


def check(raw: RawDataset) -> None:
    """Refuse samples that no network could be trained on.

    Raises:
        DataError: with the first thing that is wrong.
    """
    if len(raw.labels) < 2:
        raise DataError(
            f"the dataset has {len(raw.labels)} class(es); a classifier needs two or more",
            hint="add samples of another class",
        )
    _check_part("train", raw.train, raw.labels)
    if raw.test is not None:
        _check_part("test", raw.test, raw.labels)
        if (raw.train.x.shape[1:], raw.train.x.dtype) != (raw.test.x.shape[1:], raw.test.x.dtype):
            raise DataError(
                f"train samples are {raw.train.x.dtype} {raw.train.x.shape[1:]}, test samples "
                f"{raw.test.x.dtype} {raw.test.x.shape[1:]}",
                hint="give both parts the same shape and dtype",
            )


def check_anomaly(raw: RawDataset) -> None:
    """Refuse what `task: anomaly` cannot be made of.

    Raises:
        DataError: there are not two classes, or the source's own train set has anomalies.
    """
    if len(raw.labels) != 2:
        raise DataError(
            f"`task: anomaly` needs two classes, normal and anomalous; there are {len(raw.labels)}",
            hint="give all normal samples one class and all others another, or remove `task:`",
        )
    anomalous = int((raw.train.y == 1).sum())
    if raw.test is not None and anomalous:
        raise DataError(
            f"the source's train set has {anomalous} sample(s) of {raw.labels[1]!r}, the anomalous "
            "class; `task: anomaly` learns from normal samples alone",
            hint="move them to the test set (`x_test`, `y_test`); normal samples are class 0",
        )


def _check_part(part: str, samples: Samples, labels: tuple[str, ...]) -> None:
    import numpy as np

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
    if x.dtype != np.uint8:
        _check_finite(part, samples)


def _check_finite(part: str, samples: Samples) -> None:
    import numpy as np

    finite = np.isfinite(samples.x).all(axis=(1, 2, 3))
    bad = np.flatnonzero(~finite)
    if len(bad):
        raise DataError(
            f"{len(bad)} sample(s) of the {part} part hold NaN or infinity, the first is "
            f"number {bad[0]}",
            hint="remove or mend these samples",
        )
