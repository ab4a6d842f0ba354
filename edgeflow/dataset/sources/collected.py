"""Samples that devices kept and a person labelled, alone or beside those of another dataset."""

from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast

from edgeflow.config.dataset import CollectedDataset
from edgeflow.config.finding import did_you_mean
from edgeflow.console import say
from edgeflow.dataset.arrays import no_arrays, records
from edgeflow.dataset.base import RawDataset, Samples, Selection, Source, default_scale
from edgeflow.dataset.labelled import HINT, Labelled, labelled
from edgeflow.dataset.rename import renamed
from edgeflow.dataset.shape import shaped
from edgeflow.dataset.split import split_dataset
from edgeflow.dataset.tensors import INPUT, stored
from edgeflow.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TOOLS = ("pillow", "scikit-learn", "scipy")  # of any base


def files(section: CollectedDataset) -> dict[str, Path]:
    """Return the labelled samples by label and name, and the files of the base.

    The table itself is none of them: a sample that waits for its label changes nothing.
    """
    base = _source(section).files(section.base) if section.base else {}
    try:
        found = labelled(section.path)
    except DataError:  # `load` says what is wrong
        return {f"base/{name}": path for name, path in base.items()}
    return {
        **{f"base/{name}": path for name, path in base.items()},
        **{f"{label}/{name}.npz": found.files[name] for name, label in found.labels.items()},
    }


def load(section: CollectedDataset, *, values: bool = True) -> RawDataset:
    """Return the samples in the order of their names; with a base, at the end of its train set."""
    found = labelled(section.path)
    if not found.labels:
        raise DataError(f"{section.path}: no sample has a label", hint=HINT)
    if found.waiting and values:
        say(f"note: {found.waiting} samples in {section.path} wait for a label")
    x = _arrays(found)
    if section.base is None:
        labels = sorted(set(found.labels.values()))
        return RawDataset(
            train=Samples(x=x, y=_numbers(found, labels, section), names=_names(found)),
            labels=tuple(labels),
            scale=default_scale(x.dtype),
        )
    return _added(_parts_of_base(section), found, x, section)


def suffixes() -> frozenset[str]:
    """Return none: devices name their samples by what is in them."""
    return frozenset()


def read(path: Path, section: CollectedDataset) -> NoReturn:
    """Refuse all files but those of arrays."""
    raise no_arrays(path)


def _source(section: CollectedDataset) -> Source:
    name = section.base.source if section.base else section.source
    return cast("Source", import_module(f"edgeflow.dataset.sources.{name}"))


def _parts_of_base(section: CollectedDataset) -> RawDataset:
    """Return the base with the parts that it has without collected samples."""
    base: Any = section.base
    raw = shaped(renamed(_source(section).load(base), base.labels), base.input_shape)
    parts = split_dataset(raw, base)
    train, validation, test = (_samples(parts[part]) for part in ("train", "validation", "test"))
    return replace(raw, train=train, validation=validation, test=test)


def _samples(selection: Selection) -> Samples:
    return Samples(
        x=selection.x,
        y=selection.y,
        names=tuple(selection.name(place) for place in range(len(selection.index))),
    )


def _added(
    raw: RawDataset, found: Labelled, x: "NDArray[np.generic]", section: CollectedDataset
) -> RawDataset:
    import numpy as np

    if (x.dtype, x.shape[1:]) != (raw.train.x.dtype, raw.train.x.shape[1:]):
        raise DataError(
            f"{section.path} holds samples {_form(x)}, the base has {_form(raw.train.x)}",
            hint="give the `base` that the devices' model was trained on",
        )
    train = Samples(
        x=np.concatenate([raw.train.x, x]),
        y=np.concatenate([raw.train.y, _numbers(found, raw.labels, section)]),
        names=(*(raw.train.names or ()), *_names(found)),
    )
    return replace(raw, train=train, notes=(*raw.notes, f"{len(x)} of the samples are collected"))


def _form(x: "NDArray[np.generic]") -> str:
    arrays = stored(x).arrays
    return ", ".join(f"{name} {one.dtype} {one.shape[1:]}" for name, one in arrays.items())


def _names(found: Labelled) -> tuple[str, ...]:
    return tuple(f"{name}.npz" for name in found.labels)


def _numbers(
    found: Labelled, labels: Sequence[str], section: CollectedDataset
) -> "NDArray[np.int64]":
    import numpy as np

    unknown = sorted(set(found.labels.values()) - set(labels))
    if unknown:
        message = f"{section.path}: {unknown[0]!r} is no label of the base"
        raise DataError(message, hint=did_you_mean(unknown[0], labels))
    return np.array([labels.index(label) for label in found.labels.values()], np.int64)


def _arrays(found: Labelled) -> "NDArray[np.generic]":
    """Return all samples, (n, *shape), or records of several inputs."""
    import numpy as np

    rows = [_sample(path) for path in found.files.values()]
    forms = [{name: (one.dtype, one.shape) for name, one in row.items()} for row in rows]
    for form, path in zip(forms, found.files.values(), strict=True):
        if form != forms[0]:
            message = f"{path} has other inputs, shapes or types than the samples before it"
            raise DataError(message, hint="keep samples of one network in a folder")
    columns = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    return columns[INPUT] if list(columns) == [INPUT] else records(columns)


def _sample(path: Path) -> "dict[str, NDArray[np.generic]]":
    """Return the arrays of one sample by input."""
    import zipfile

    import numpy as np

    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            found = {name.removeprefix("x."): archive[name] for name in sorted(archive.files)}
    except (OSError, ValueError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} cannot be read: {error}", hint="collect it again") from error
    if not found or any(one.dtype not in ("uint8", "float32") for one in found.values()):
        raise DataError(f"{path} is no sample of the service", hint=HINT)
    return found
