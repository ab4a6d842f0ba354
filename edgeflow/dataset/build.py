"""The dataset step: a source's samples to four parts of arrays with a card."""

import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from pydantic import TypeAdapter

from edgeflow.artifact.manifest import Manifest
from edgeflow.artifact.sources import Find, Sources, planned_digest
from edgeflow.artifact.step import StepSpec, run_step
from edgeflow.config.dataset import Dataset
from edgeflow.config.pointer import pointer
from edgeflow.config.samples import Part
from edgeflow.console import say
from edgeflow.dataset import channels
from edgeflow.dataset.base import RawDataset, Selection, Source
from edgeflow.dataset.card import dataset_card
from edgeflow.dataset.check import check
from edgeflow.dataset.leaks import leaks
from edgeflow.dataset.preprocess import require_float32, require_one_way, resolved
from edgeflow.dataset.rename import renamed
from edgeflow.dataset.save import SavedPart, save_part
from edgeflow.dataset.shape import shaped
from edgeflow.dataset.split import split_dataset
from edgeflow.dataset.view import DatasetFacts, InputFacts
from edgeflow.errors import DataError
from edgeflow.tasks.registry import task_of

TOOLS = ("numpy",)


def build_dataset(
    name: str, slice_: Mapping[str, Any], code: str, out: Path, planned: str = ""
) -> Manifest:
    """Read, check and split one dataset.

    The manifest has one digest over all files of the source and leaves out where they lie, so
    equal data in another folder gives an equal manifest.

    Args:
        name: the dataset's name, for messages.
        slice_: JSON form of a `datasets` entry of the configuration.
        code: fingerprint of the step.
        out: folder for ``{part}_x.npy``, ``{part}_y.npy``, card.md and manifest.json.
        planned: digest of the source when Snakemake planned this; empty if nobody did.

    Raises:
        DataError: the data is missing, corrupt, or cannot be split as asked.
        IntegrityError: the data changed since it was planned, or while it was read.
    """
    section = _parse(slice_)
    source = _source(section)
    spec = StepSpec(
        step="dataset",
        name=name,
        inputs={"source": Sources("dataset", name, _finder(section), planned)},
        slice=section.model_dump(mode="json", exclude={"path": True, "base": {"path"}}),
        code=code,
        tools=(*TOOLS, *source.TOOLS),
        cpu="nothing",
    )
    return run_step(spec, out, lambda folder: _build(section, source, folder))


def source_files(slice_: Mapping[str, Any]) -> list[Path]:
    """Return the local files a dataset is made of; none if bundled, downloaded or missing."""
    return list(_finder(_parse(slice_))().values())


def source_digest(name: str, slice_: Mapping[str, Any]) -> str:
    """Return the digest of the local files a dataset is made of, for Snakemake to plan by."""
    return planned_digest("dataset", name, _finder(_parse(slice_)))


def _finder(section: Dataset) -> Find:
    return lambda: _source(section).files(section)


def _parse(slice_: Mapping[str, Any]) -> Dataset:
    section: Dataset = TypeAdapter(Dataset).validate_python(dict(slice_))
    return section


def _source(section: Dataset) -> Source:
    # by name, so that one source's edit does not change the fingerprint of the others
    return cast("Source", importlib.import_module(f"edgeflow.dataset.sources.{section.source}"))


def load_raw(section: Dataset) -> RawDataset:
    """Read all samples of a dataset, unchecked; DataError if they are missing or corrupt."""
    return _source(section).load(section)


def rehearse(section: Dataset) -> dict[Part, int]:
    """Do all that the step does of a dataset of files, but read their samples.

    Returns:
        The number of samples in each part.

    Raises:
        DataError: the step would fail, by names, counts, shapes, dtypes, classes or sizes of parts.
    """
    raw = cast("Any", _source(section)).load(section, values=False)
    return require_parts(raw, section, values=False)


def require_parts(raw: RawDataset, section: Dataset, *, values: bool = True) -> dict[Part, int]:
    """Return the number of samples that each part of a dataset will have.

    Args:
        raw: the dataset as its source holds it.
        section: what the user asks for.
        values: whether to look at the samples too.

    Raises:
        DataError: no network could be trained on it, or it cannot be split.
    """
    parts = split_dataset(_checked(raw, section, values=values), section)
    return {part: len(selection.index) for part, selection in parts.items()}


def _checked(raw: RawDataset, section: Dataset, *, values: bool = True) -> RawDataset:
    """Return a dataset in the order and shape that the user asks for.

    Raises:
        DataError: no network could be trained on it.
    """
    task = task_of(section)
    check(raw, task, values=values)
    require_one_way(section.preprocess, raw.inputs)
    raw = shaped(renamed(raw, section.labels), section.input_shape)
    task.check_parts(raw.labels, raw.truths())
    return raw


def _build(section: Dataset, source: Source, folder: Path) -> Mapping[str, object]:
    _require_fetched(source.files(section))
    raw = _checked(source.load(section), section)
    parts = split_dataset(raw, section)
    saved = {part: save_part(folder, part, selection) for part, selection in parts.items()}
    facts = _facts(section, raw, parts)
    for part in saved.values():
        for name, found in part.inputs.items():
            require_float32(*channels.ends(found.low, found.high, facts.inputs[name].preprocess))
    notes = [*raw.notes, *leaks(parts, saved), *_unlike(facts, saved["train"])]
    for note in notes:
        say(f"note: {note}")
    truths = {str(part): selection.y for part, selection in parts.items()}
    card = dataset_card(section, facts, truths, saved, notes, folder)
    (folder / "card.md").write_text(card, encoding="utf-8")
    return facts.model_dump(mode="json")


def _require_fetched(files: Mapping[str, Path]) -> None:
    """Refuse files that stand for others; a decoder would call them corrupt.

    Raises:
        DataError: with the first of them.
    """
    found = ((name, what) for name, path in files.items() if (what := pointer(path)))
    for name, what in found:
        raise DataError(f"{name} is only {what}", hint="fetch the files, then run `edgeflow run`")


def _facts(section: Dataset, raw: RawDataset, parts: Mapping[Part, Selection]) -> DatasetFacts:
    import numpy as np

    task = task_of(section)
    strata = len(task.strata_names(raw.labels))
    return DatasetFacts(
        labels=list(raw.labels),
        inputs={
            name: InputFacts(
                shape=list(raw.train.of(name).x.shape[1:]),
                dtype=str(raw.train.of(name).x.dtype),
                preprocess=resolved(section.preprocess, raw, parts["train"], name),
            )
            for name in raw.inputs
        },
        task=section.task,
        front_end=dict(raw.front_end) if raw.front_end else None,
        decoding=section.decoding(),
        counts={
            part: np.bincount(task.strata(selection.y), minlength=strata).tolist()
            for part, selection in parts.items()
        },
    )


def _unlike(facts: DatasetFacts, train: SavedPart) -> Iterator[str]:
    """Yield a line if input channels are of so unlike scale that int8 does not suit all."""
    for name, saved in train.inputs.items():
        low, high = channels.ends(saved.low, saved.high, facts.inputs[name].preprocess)
        found = channels.narrow(low, high, channels.shared_scale(low, high))
        if found:
            which = f"input {name}: " if len(train.inputs) > 1 else ""
            yield which + channels.warning(found, len(low))
