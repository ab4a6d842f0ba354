"""The table at the end of a run: what each deployment reached on each device."""

from collections.abc import Sequence
from typing import TextIO

from edgeflow.report.rows import Row
from edgeflow.report.text import adaptive, gate_text, kib, percent

HEADER = ("model", "recipe", "device", "accuracy %", "p50/p90 ms", "KiB", "gates")
_STYLES = {"passed": "green", "failed": "bold red", "no gates": "dim", "not measured": "yellow"}


def _cells(row: Row) -> tuple[str, ...]:
    if not row.measured:
        return (row.model, row.recipe, row.device, "", "", "", row.status)
    return (
        row.model,
        row.recipe,
        row.device,
        f"{percent(row.accuracy_float)} → {percent(row.accuracy_device)}",
        f"{adaptive(row.latency_p50_ms)} / {adaptive(row.latency_p90_ms)}",
        kib(row.model_bytes),
        _gates(row),
    )


def _gates(row: Row) -> str:
    missed = [gate_text(check) for check in row.checks if not check.passed]
    if not missed:
        return f"{row.status} {len(row.checks)}/{len(row.checks)}" if row.checks else row.status
    reasons = "; ".join(f"{gate.title} {gate.measured}, not {gate.sign} {gate.limit}"
                        for gate in missed)
    return f"{row.status} {len(missed)}/{len(row.checks)}: {reasons}"


def print_summary(rows: Sequence[Row], file: TextIO) -> None:
    """Print one line per row: a table on a terminal, fixed-width text elsewhere.

    Colours are left out where NO_COLOR is set.
    """
    if file.isatty():
        _print_table(rows, file)
    else:
        _print_plain(rows, file)


def _print_table(rows: Sequence[Row], file: TextIO) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for name in HEADER:
        right = name in HEADER[3:6]
        table.add_column(name, justify="right" if right else "left", overflow="fold")
    for row in rows:
        *cells, gates = _cells(row)
        # Text, not str: a name in square brackets is no markup.
        table.add_row(*map(Text, cells), Text(gates, style=_STYLES[row.status]))
    Console(file=file).print(table)


def _print_plain(rows: Sequence[Row], file: TextIO) -> None:
    lines = [HEADER, *map(_cells, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADER))]
    for line in lines:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(padded).rstrip(), file=file)
