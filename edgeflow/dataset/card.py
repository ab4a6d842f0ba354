"""The dataset card: what a person wants to know of a dataset, as Markdown."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgeflow.artifact.hashing import sha256_file
from edgeflow.config.dataset import Dataset
from edgeflow.config.samples import Affine, Part
from edgeflow.dataset.save import SavedInput, SavedPart
from edgeflow.dataset.view import DatasetFacts, InputFacts
from edgeflow.tasks.registry import task_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgeflow.tasks.base import Truth


def dataset_card(
    section: Dataset,
    facts: DatasetFacts,
    truths: "Mapping[str, Truth]",
    parts: Mapping[Part, SavedPart],
    notes: Sequence[str],
    folder: Path,
) -> str:
    """Return the card of a dataset whose arrays stand in `folder`."""
    task = task_of(section)
    heading, table = task.table(facts.labels, truths)
    stratified = "stratified, but" if len(task.strata_names(facts.labels)) > 1 else "random, but"
    return "\n".join(
        [
            f"# Dataset from {section.source}",
            "",
            f"- Task: {task.title}",
            f"- Seed of the splits: {section.seed}",
            *_sample_lines(facts, parts),
            "",
            f"Splits are {stratified} for parts that the source gives. Calibration samples are",
            "drawn from train; apart from that, no sample is in two parts.",
            "",
            *(["## Notes", "", *(f"- {note}" for note in notes), ""] if notes else []),
            f"## {heading}",
            "",
            *_table(table),
            "",
            "## Files",
            "",
            *_files_table(folder),
            "",
        ]
    )


def _sample_lines(facts: DatasetFacts, parts: Mapping[Part, SavedPart]) -> list[str]:
    lines = [
        line
        for name, source in facts.inputs.items()
        for line in _input_lines(
            f"Input {name}" if len(facts.inputs) > 1 else "Sample",
            source,
            [part.inputs[name] for part in parts.values()],
        )
    ]
    return [*lines, *([f"- Features: {_listed(facts.front_end)}"] if facts.front_end else [])]


def _input_lines(what: str, source: InputFacts, parts: Sequence[SavedInput]) -> list[str]:
    shape = " x ".join(str(size) for size in source.shape)
    axes = " (height x width x channels)" if len(source.shape) == 3 else ""
    return [f"- {what}: {shape}{axes}, {parts[0].dtype}", *_ranges(source.preprocess, parts)]


def _ranges(preprocess: Affine, parts: Sequence[SavedInput]) -> list[str]:
    import numpy as np

    low = np.min([part.low for part in parts], axis=0)
    high = np.max([part.high for part in parts], axis=0)
    scale, offset = preprocess.scale, preprocess.offset
    ends = np.array([low, high]) * scale + offset
    if isinstance(scale, float) and isinstance(offset, float):
        formula, lines = f"{scale!r} + {offset!r}", []
    else:
        formula = "scale + offset of its channel"
        lines = ["", *_channels_table(np.array([low, high]), preprocess, ends)]
    return [
        f"- Stored range: {low.min():g} to {high.max():g}",
        f"- Network input: float32, stored value * {formula}: {ends.min():g} to {ends.max():g}",
        *lines,
    ]


def _channels_table(
    stored: "NDArray[np.float64]", preprocess: Affine, ends: "NDArray[np.float64]"
) -> list[str]:
    import numpy as np

    channels = stored.shape[1]
    both = [np.broadcast_to(v, channels) for v in (preprocess.scale, preprocess.offset)]
    columns = np.stack([*stored, *both, *ends]).T
    rows: list[list[object]] = [
        [number, *(f"{value:g}" for value in row)] for number, row in enumerate(columns)
    ]
    head: list[object] = ["channel", "stored from", "to", "scale", "offset", "input from", "to"]
    return _table([head, *rows])


def _listed(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _files_table(folder: Path) -> list[str]:
    rows: list[list[object]] = [
        [path.name, f"`{sha256_file(path)}`"] for path in sorted(folder.glob("*.npy"))
    ]
    return _table([["file", "SHA-256"], *rows])


def _table(rows: Sequence[Sequence[object]]) -> list[str]:
    """Return the lines of a table whose head is the first row."""
    head, *others = [[str(cell).replace("|", "\\|") for cell in row] for row in rows]
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *others)]
