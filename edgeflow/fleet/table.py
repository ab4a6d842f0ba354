"""An inventory file, CSV or YAML, as rows of text that know their lines."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from edgeflow.config.yaml12 import read
from edgeflow.errors import ConfigError, Problem

LABEL = "label."
_DELIMITERS = ",;\t"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One row as it is written: a text for each column, empty cells left out."""

    number: int
    cells: dict[str, str]


def read_table(path: Path) -> tuple[list[Line], list[Problem]]:
    """Return the rows of an inventory, and what is wrong with single ones.

    Raises:
        ConfigError: it is not there, or cannot be read at all.
    """
    data = b""
    try:
        data = path.read_bytes()
        # What Excel calls "Unicode text" is UTF-16.
        text = data.decode("utf-16" if data.startswith(_UTF16) else "utf-8-sig")
    except OSError as error:
        raise _unusable(path, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise _unusable(path, "not UTF-8: save it as CSV in UTF-8", line) from error
    problems: list[Problem] = []
    kinds = {".csv": _csv, ".yaml": _yaml, ".yml": _yaml}
    if path.suffix.lower() not in kinds:
        raise _unusable(path, "its name must end in .csv or .yaml")
    return list(kinds[path.suffix.lower()](path, text, problems)), problems


def column(title: str) -> str:
    """Return the name of a column by its title: ``Host Key`` is ``host_key``."""
    return title.strip().lower().replace(" ", "_")


def _csv(path: Path, text: str, problems: list[Problem]) -> Iterator[Line]:
    head = text.lstrip().partition("\n")[0]
    delimiter = max(_DELIMITERS, key=head.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    columns: list[str] = []
    begins = 1
    try:
        for row in rows:
            number, begins = begins, rows.line_num + 1
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            if not columns:
                columns = _columns(path, cells, number)
            elif any(cells[len(columns) :]):
                count = f"{len(cells)} cells below {len(columns)} columns"
                hint = f"put a cell that holds {delimiter!r} in double quotes"
                problems.append(Problem(path="", message=count, hint=hint, line=number))
            else:
                pairs = zip(columns, cells, strict=False)
                yield Line(number=number, cells={key: cell for key, cell in pairs if cell})
    except csv.Error as error:
        raise _unusable(path, f"not CSV: {error}", begins) from error


def _columns(path: Path, titles: list[str], line: int) -> list[str]:
    while not titles[-1]:
        titles.pop()
    names = [column(title) for title in titles]
    if "name" not in names:
        message = f"the first row names no column `name`, but {', '.join(map(repr, titles[:8]))}"
        raise _unusable(path, message, line)
    if "" in names:
        raise _unusable(path, f"column {names.index('') + 1} has no name", line)
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise _unusable(path, f"two columns are called {twice!r}", line)
    return names


def _yaml(path: Path, text: str, problems: list[Problem]) -> Iterator[Line]:
    """Yield the rows of a list of mappings; scalars as they are written: 1.10 is no number."""
    try:
        root, _ = read(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise _unusable(path, f"not YAML: {error.problem}", line) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _unusable(path, f"not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(root, yaml.SequenceNode):
        raise _unusable(path, "not a list with a mapping for each device, as in `- name: press-1`")
    for node in root.value:
        number, cells = node.start_mark.line + 1, dict[str, str]()
        wrong = list(_fill(cells, node))
        problems += [Problem(path="", message=it, line=number) for it in wrong]
        if not wrong:
            yield Line(number=number, cells={key: cell for key, cell in cells.items() if cell})


def _fill(cells: dict[str, str], node: yaml.Node, prefix: str = "") -> Iterator[str]:
    """Fill in the cells of a mapping, and yield what is wrong with it."""
    if not isinstance(node, yaml.MappingNode):
        yield "not a mapping"
        return
    for key, value in node.value:
        name = prefix + column(str(key.value))
        if name in cells:
            yield f"{name!r} stands twice"
        elif isinstance(value, yaml.ScalarNode):
            cells[name] = "" if value.tag.endswith(":null") else value.value.strip()
        elif name == "labels":
            yield from _fill(cells, value, LABEL)
        else:
            yield f"{name!r} is not one text"


def _unusable(path: Path, message: str, line: int | None = None) -> ConfigError:
    return ConfigError([Problem(path=path.name, message=message, line=line)], source=str(path))
