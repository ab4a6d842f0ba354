"""The dataset card: what a person wants to know of a dataset, as Markdown."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from edgeflow.artifact.hashing import sha256_file
from edgeflow.config.dataset import Dataset
from edgeflow.config.samples import TaskName
from edgeflow.dataset.save import SavedPart
from edgeflow.dataset.view import DatasetFacts, Part

_TASKS: Mapping[TaskName, str] = {
    "classification": "classification",
    "anomaly": "anomaly; class 0 is normal, class 1 anomalous and in the test set alone",
}


def dataset_card(
    options: Dataset,
    facts: DatasetFacts,
    parts: Mapping[Part, SavedPart],
    notes: Sequence[str],
    folder: Path,
) -> str:
    """Return the card of a dataset whose arrays stand in `folder`."""
    return "\n".join(
        [
            f"# Dataset from {options.source}",
            "",
            f"- Task: {_TASKS[options.task]}",
            f"- Seed of the splits: {options.seed}",
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
    low = min(part.low for part in parts.values())
    high = max(part.high for part in parts.values())
    scale, offset = facts.preprocess.scale, facts.preprocess.offset
    span = f"{low * scale + offset:g} to {high * scale + offset:g}"
    return [
        f"- Sample: {shape}{axes}, {parts['train'].dtype}",
        f"- Stored range: {low:g} to {high:g}",
        f"- Network input: float32, stored value * {scale!r} + {offset!r}: {span}",
        *([f"- Features: {_listed(facts.front_end)}"] if facts.front_end else []),
    ]


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
