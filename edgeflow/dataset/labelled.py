"""Which of the collected samples have a label, by a table or by the folders they lie in."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgeflow.errors import DataError

LABELS = "labels.csv"
SAMPLE = re.compile(r"([0-9a-f]{64})\.[A-Za-z]+")
LISTED = 5
FORM = "UTF-8, with commas between its columns"
HINT = (
    f"collect samples by `edgeflow device collect`, then fill in `label` of {LABELS} there, or "
    "sort the files into a folder for each label"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Labelled:
    """The labelled samples of a folder.

    Attributes:
        labels: label of each sample that has one, by its name, sorted by that.
        files: the .npz file of each of them.
        waiting: how many samples have no label yet.
    """

    labels: dict[str, str]
    files: dict[str, Path]
    waiting: int


def labelled(path: str) -> Labelled:
    """Return the samples in a folder that a person has labelled.

    Raises:
        DataError: the folder or the table cannot be read, a sample has two labels, or is missing.
    """
    root = Path(path).expanduser()
    if not root.is_dir():
        raise DataError(f"{root} is no folder", hint=HINT)
    found = {file.stem: file for file in sorted(root.glob("**/*.npz")) if _name(file)}
    labels: dict[str, str] = {}
    for name, label, where in (*_of_table(root / LABELS), *_of_folders(root)):
        if labels.setdefault(name, label) != label:
            message = f"sample {name[:12]} of {root} has two labels: {labels[name]!r} and, by "
            raise DataError(f"{message}{where}, {label!r}", hint="leave it one")
    missing = sorted(labels.keys() - found.keys())
    if missing:
        names = ", ".join(f"{name[:12]}….npz" for name in missing[:LISTED])
        message = f"{root} lacks {len(missing)} samples that have a label: {names}"
        raise DataError(message, hint="bring the files back, or take their labels away")
    return Labelled(
        labels=dict(sorted(labels.items())),
        files={name: found[name] for name in sorted(labels)},
        waiting=len(found) - len(labels),
    )


def _name(file: Path) -> str | None:
    match = SAMPLE.fullmatch(file.name)
    return match[1] if match else None


def _of_table(table: Path) -> Iterator[tuple[str, str, str]]:
    """Yield name and label of the lines that a person filled in."""
    for number, row in read_table(table).rows if table.is_file() else ():
        label = (row["label"] or "").strip()
        name = _name(Path((row["file"] or "").strip()))
        if label and name is None:
            message = f"{table}, line {number}: {row['file']!r} is no sample"
            raise DataError(message, hint="name the .npz file")
        if label and name is not None:
            yield name, label, LABELS


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A table of labels: its columns, and its rows with the line that each ends in."""

    columns: tuple[str, ...]
    rows: tuple[tuple[int, dict[str, str | None]], ...]


def read_table(table: Path) -> Table:
    """Return a table of labels as a person has left it.

    Raises:
        DataError: it cannot be read, or lacks a column.
    """
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            columns = tuple(rows.fieldnames or ())
            if not {"file", "label"} <= set(columns):
                message = f"{table} has no columns `file` and `label`"
                raise DataError(message, hint=f"{HINT}; save the table as {FORM}")
            return Table(columns=columns, rows=tuple((rows.line_num, row) for row in rows))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{table} cannot be read: {error}", hint=f"save it as {FORM}") from error


def _of_folders(root: Path) -> Iterator[tuple[str, str, str]]:
    """Yield name and label of the files, be it pictures, that lie in a folder of a label."""
    for folder in sorted(entry for entry in root.iterdir() if entry.is_dir()):
        names = {_name(file) for file in folder.iterdir()} - {None}
        for name in sorted(filter(None, names)):
            yield name, folder.name, f"folder {folder.name}"
