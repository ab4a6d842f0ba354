"""What must hold of any dataset before it is split."""

from typing import TYPE_CHECKING, Any
from unicodedata import category

from edgeflow.dataset.base import RawDataset, Samples, every
from edgeflow.dataset.tensors import stored
from edgeflow.errors import DataError
from edgeflow.tasks.base import Task

if TYPE_CHECKING:
    from numpy.typing import NDArray

_UNFIT = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Unicode's categories of control characters, of surrogates (which stand for bytes that are no
UTF-8), and of separators of lines and paragraphs."""


def check(raw: RawDataset, task: Task, *, values: bool = True) -> None:
    """Refuse samples that no network could be trained on.

    Args:
        raw: the dataset.
        task: that its networks are for.
        values: whether to look at the samples, too, not only at their number, shape and classes.

    Raises:
        DataError: with the first thing that is wrong.
    """
    if len(raw.inputs) > 1 and task.outputs == "input":
        raise DataError(
            f"samples have {len(raw.inputs)} inputs, and {task.one} reconstructs one",
            hint="give one array of samples, or choose another `task:`",
        )
    task.check(raw.labels, raw.truths())
    _check_labels(raw.labels)
    for part, samples in raw.parts().items():
        _check_part(part, samples, "class numbers" if task.classes else "targets")
        for array in stored(samples.x).arrays.values() if values else ():
            if array.dtype != "uint8":
                _check_finite(part, samples, array)
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
            f"labels have control characters or are not UTF-8: {', '.join(map(ascii, odd))}",
            hint="rename them, such as the folders of classes",
        )


def _check_part(part: str, samples: Samples, truth: str) -> None:
    x, y = samples.x, samples.y
    if len(x) != len(y):
        raise DataError(
            f"the {part} part has {len(x)} samples and {len(y)} {truth}",
            hint=f"give as many {truth} as samples",
        )
    for array in stored(x).arrays.values():
        if 0 in array.shape[1:]:
            raise DataError(
                f"the {part} samples are empty: their shape is {array.shape[1:]}",
                hint="give samples of one pixel or more",
            )


def _check_finite(part: str, samples: Samples, array: "NDArray[Any]") -> None:
    import numpy as np

    finite = np.isfinite(array).reshape(len(array), -1).all(axis=1)
    bad = np.flatnonzero(~finite)
    if len(bad):
        raise DataError(
            f"{len(bad)} sample(s) of the {part} part hold NaN or infinity, the first is "
            f"{every(samples).name(int(bad[0]))}",
            hint="remove or fix these samples",
        )
