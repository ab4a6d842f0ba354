"""What `edgetpu_compiler` prints of a model that it compiled, and its log; versions 2 to 16.

A model is a block of lines that begins with ``Input model:``. A search (`-d`) prints attempts that
fail before the block of the one that works, and a model in segments (`-n`) has a block for each.
Every number is read by a pattern, because the text may come from a compile host.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

MAPPED = "Mapped to Edge TPU"
_BLOCK = "Input model:"
_ATTEMPT = ("Started a compilation timeout timer", "Try to compile segment with", _BLOCK)
_UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_SIZE = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)\s*(B|KiB|MiB|GiB)")
_ROW = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_.-]*)\s+([0-9]{1,9})\s+([A-Z][A-Za-z].*\S)\s*")
_TABLE = re.compile(r"^Operator\s+Count\s+Status\s*$", re.MULTILINE)
_SUBGRAPHS, _OPERATORS = "Number of Edge TPU subgraphs", "Total number of operations"
_ON_CPU = "Number of operations that will run on CPU"
_USED = "On-chip memory used for caching model parameters"
_LEFT = "On-chip memory remaining for caching model parameters"
_WHOLE = "On-chip memory available for caching model parameters"
_STREAMED = "Off-chip memory used for streaming uncached model parameters"


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """Operators of one name that fared alike; a name may have several rows."""

    operator: str
    count: int
    status: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """What the compiler says of one model that it made.

    Attributes:
        output: name of the file.
        used_bytes: on-chip memory that holds weights.
        free_bytes: on-chip memory that is left for them.
        streamed_bytes: weights that are fetched anew for each inference.
        subgraphs: parts of the graph that run on the Edge TPU.
        mapped: operators that run there.
        unmapped: operators that run on the CPU.
        rows: operators by name and status.
    """

    output: str
    used_bytes: int
    free_bytes: int
    streamed_bytes: int
    subgraphs: int
    mapped: int
    unmapped: int
    rows: tuple[Row, ...]


def blocks_of(stdout: str) -> dict[str, str]:
    """Return the last block of each model that was made, by the name of its file."""
    found: dict[str, str] = {}
    lines: list[str] | None = None
    for line in [*stdout.splitlines(), _BLOCK]:
        if line.startswith(_ATTEMPT):
            text = "\n".join(lines or ())
            if output := _text(text, "Output model"):
                found[output.rpartition("/")[2]] = text
            lines = [] if line.startswith(_BLOCK) else None
        if lines is not None:
            lines.append(line)
    return found


def read_block(text: str, log: str) -> Block | None:
    """Return what a block says; None where it lacks what each version prints.

    Args:
        text: the block.
        log: the model's log, which has the operators also where they were not asked to be printed.
    """
    rows = rows_of(log) or rows_of(text)
    total, subgraphs = _number(text, _OPERATORS), _number(text, _SUBGRAPHS)
    used, streamed = _size(text, _USED), _size(text, _STREAMED)
    if total is None or subgraphs is None or used is None or streamed is None:
        return None
    mapped = sum(row.count for row in rows if row.status == MAPPED)
    unmapped = sum(row.count for row in rows if row.status != MAPPED)
    if not rows:  # the number is printed only where something is unmapped
        unmapped = min(total, _number(text, _ON_CPU) or 0)
        mapped = total - unmapped
    return Block(
        output=_text(text, "Output model").rpartition("/")[2],
        used_bytes=used,
        free_bytes=_free(text, used),
        streamed_bytes=streamed,
        subgraphs=subgraphs,
        mapped=mapped,
        unmapped=unmapped,
        rows=rows,
    )


def rows_of(text: str) -> tuple[Row, ...]:
    """Return the table of operators in a log or a block; empty where it has none."""
    head = _TABLE.search(text)
    lines = text[head.end() :].splitlines() if head else []
    found = (_ROW.fullmatch(line) for line in lines)
    return tuple(
        Row(operator=one[1], count=int(one[2]), status=one[3][:200]) for one in found if one
    )


def merged(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Return rows of one name and status as one, in a fixed order: the compiler's own varies."""
    counts: dict[tuple[str, str], int] = {}
    for row in rows:
        key = (row.operator, row.status)
        counts[key] = counts.get(key, 0) + row.count
    return tuple(
        Row(operator=operator, count=count, status=status)
        for (operator, status), count in sorted(counts.items())
    )


def _free(text: str, used: int) -> int:
    """Return the memory that is left; the first versions tell the whole instead."""
    left = _size(text, _LEFT)
    return max(0, (_size(text, _WHOLE) or 0) - used) if left is None else left


def _text(text: str, key: str) -> str:
    found = re.search(rf"^{re.escape(key)}:[ \t]*(\S.*?)[ \t]*$", text, re.MULTILINE)
    return found[1] if found else ""


def _number(text: str, key: str) -> int | None:
    said = _text(text, key)
    return int(said) if re.fullmatch(r"[0-9]{1,9}", said) else None


def _size(text: str, key: str) -> int | None:
    """Return a size in bytes; it was rounded to two digits of its unit."""
    found = _SIZE.fullmatch(_text(text, key))
    return round(float(found[1]) * _UNITS[found[2]]) if found else None
