"""The dataset card: what a person wants to know of a dataset, as Markdown."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgeflow.artifact.hashing import sha256_file
from edgeflow.config.dataset import Dataset
from edgeflow.config.samples import Affine, TaskName
from edgeflow.dataset.save import SavedPart
from edgeflow.dataset.view import DatasetFacts, Part

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_TASKS: Mapping[TaskName, str] = {
    "classification": "classification",
    "anomaly": "anomaly; class 0 is normal, class 1 anomalous and in the test set alone",
}


def dataset_card(
    section: Dataset,
    facts: DatasetFacts,
    parts: Mapping[Part, SavedPart],
    notes: Sequence[str],
    folder: Path,
) -> str:
    """Return the card of a dataset whose arrays stand in `folder`."""
    return "\n".join(
        [
            f"# Dataset from {section.source}",
            "",
            f"- Task: {_TASKS[section.task]}",
            f"- Seed of the splits: {section.seed}",
            *_sample_lines(facts, parts),
            "",
            "Splits are stratified, but for parts that the source gives. Calibration samples are",
            "drawn from train; apart from that, no sample is in two parts.",
            "",
            *(["## Notes", "", *(f"- {note}" for note in notes), ""] if notes else []),
            "## Samples of each class",
            "",
            *_counts_table(facts),
            "",
            "## Files",
            "",
            *_files_table(folder),
            "",
        ]
    )


def _sample_lines(facts: DatasetFacts, parts: Mapping[Part, SavedPart]) -> list[str]:
    shape = " x ".join(str(size) for size in facts.input_shape)
    axes = " (height x width x channels)" if len(facts.input_shape) == 3 else ""
    return [
        f"- Sample: {shape}{axes}, {parts['train'].dtype}",
        *_ranges(facts.preprocess, parts),
        *([f"- Features: {_listed(facts.front_end)}"] if facts.front_end else []),
    ]


def _ranges(preprocess: Affine, parts: Mapping[Part, SavedPart]) -> list[str]:
    import numpy as np

    low = np.min([part.low for part in parts.values()], axis=0)
    high = np.max([part.high for part in parts.values()], axis=0)
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
    return _table(["channel", "stored from", "to", "scale", "offset", "input from", "to"], rows)


def _listed(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _counts_table(facts: DatasetFacts) -> list[str]:
    parts = list(facts.counts)
    totals = [sum(counts) for counts in facts.counts.values()]
    rows: list[list[object]] = [
        [number, label.replace("|", "\\|"), *(facts.counts[part][number] for part in parts)]
        for number, label in enumerate(facts.labels)
    ]
    return _table(["number", "label", *parts], [*rows, ["", "all", *totals]])


def _files_table(folder: Path) -> list[str]:
    rows: list[list[object]] = [
        [path.name, f"`{sha256_file(path)}`"] for path in sorted(folder.glob("*.npy"))
    ]
    return _table(["file", "SHA-256"], rows)


def _table(head: list[str], rows: list[list[object]]) -> list[str]:
    lines: list[Sequence[object]] = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(str(cell) for cell in line)} |" for line in lines]
