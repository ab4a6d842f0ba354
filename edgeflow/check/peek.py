"""The shape of a dataset's samples and the number of its labels, as far as that is cheap."""

import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeflow.config.dataset import (
    CollectedDataset,
    Dataset,
    FashionMnistDataset,
    ImageFolderDataset,
    MnistDataset,
    NpzDataset,
    SignalDataset,
    WavFolderDataset,
)
from edgeflow.dataset.shape import network_shape
from edgeflow.dataset.tensors import INPUT
from edgeflow.errors import DataError
from edgeflow.tasks.base import Task
from edgeflow.tasks.registry import task_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_KNOWN: dict[str, tuple[tuple[int, ...], int]] = {
    "digits": ((8, 8, 1), 10),
    "mnist": ((28, 28, 1), 10),
    "fashion_mnist": ((28, 28, 1), 10),
    "cifar10": ((32, 32, 3), 10),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Peek:
    """What is known of a dataset without reading it.

    Attributes:
        inputs: shape of a sample of each input, without the batch.
        labels: number of classes or targets.
    """

    inputs: Mapping[str, tuple[int, ...]]
    labels: int


def peek(section: Dataset) -> Peek | None:
    """Return what a dataset will be, or None where only building it can tell.

    Raises:
        DataError: its samples have axes or a size that cannot be meant.
    """
    try:
        seen = _of_files(section)
    except DataError:
        raise
    except Exception:  # on corrupt bytes decoders raise many kinds; the dataset step says why
        return None
    if seen is None or not seen.labels or not all(map(all, seen.inputs.values())):
        return None
    if len(seen.inputs) > 1:
        return seen
    return replace(
        seen,
        inputs={
            name: network_shape(shape, section.input_shape) for name, shape in seen.inputs.items()
        },
    )


def _of_files(section: Dataset) -> Peek | None:
    if section.source in _KNOWN and getattr(section, "path", None) is None:
        shape, classes = _KNOWN[section.source]
        return Peek(inputs={INPUT: shape}, labels=classes)
    match section:
        case ImageFolderDataset():
            shape = (*section.size, section.channels)
            return Peek(inputs={INPUT: shape}, labels=_folders(section.path))
        case WavFolderDataset():
            import numpy as np

            from edgeflow.ondevice.front_end import features

            shape = features(np.zeros(1), section.front_end()).shape
            return Peek(inputs={INPUT: shape}, labels=_folders(section.path))
        case MnistDataset() | FashionMnistDataset():
            from edgeflow.dataset.idx import image_shape

            return Peek(
                inputs={INPUT: image_shape(Path(section.path or "").expanduser())}, labels=10
            )
        case NpzDataset() | SignalDataset():
            return _of_arrays(section)
        case CollectedDataset():
            return _of_collected(section)
        case _:
            shape, classes = _KNOWN[section.source]
            return Peek(inputs={INPUT: shape}, labels=classes)


def _of_collected(section: CollectedDataset) -> Peek | None:
    from edgeflow.dataset.build import load_raw
    from edgeflow.dataset.tensors import stored

    if section.base is not None:
        return peek(section.base)
    raw = load_raw(section)
    arrays = stored(raw.train.x).arrays
    shapes = {name: tuple(array.shape[1:]) for name, array in arrays.items()}
    return Peek(inputs=shapes, labels=len(raw.labels))


def _folders(path: str) -> int:
    from edgeflow.dataset.folders import class_names

    return len(class_names(path))


def _of_arrays(section: NpzDataset | SignalDataset) -> Peek | None:
    import numpy as np

    from edgeflow.dataset.arrays import npy_header, part_arrays

    with zipfile.ZipFile(Path(section.path).expanduser()) as archive:
        names = part_arrays([name.removesuffix(".npy") for name in archive.namelist()])
        shapes = {}
        for field, name in names["train"].items():
            with archive.open(f"{name}.npy") as file:
                shapes[field], _, _ = npy_header(file)
        labels = len(section.labels or ()) or _labels(archive, names.values(), task_of(section))
    inputs = {}
    for field, shape in shapes.items():
        stored = arranged(section, np.broadcast_to(np.uint8(0), (1, *shape[1:])))
        if stored is None:
            return None
        inputs[field] = stored.shape[1:]
    return Peek(inputs=inputs, labels=labels)


def arranged(
    section: NpzDataset | SignalDataset, x: "NDArray[np.generic]"
) -> "NDArray[np.generic] | None":
    """Return samples as the dataset's source brings them into order; None where it cannot.

    Raises:
        DataError: the channels seem to stand first, and the dataset does not say where they do.
    """
    from edgeflow.dataset.axes import arranged_images, arranged_signals

    arrange = arranged_signals if isinstance(section, SignalDataset) else arranged_images
    return arrange(x, section.data_format)


def _labels(archive: zipfile.ZipFile, samples: Iterable[Mapping[str, str]], task: Task) -> int:
    import numpy as np

    from edgeflow.dataset.arrays import truth_of

    truths: list[Any] = []
    for arrays in samples:
        with archive.open(f"{truth_of(arrays)}.npy") as file:
            truths.append(task.truth(np.lib.format.read_array(file, allow_pickle=False)))
    return task.label_count(truths)
