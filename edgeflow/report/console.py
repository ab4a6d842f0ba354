"""The table at the end of a run: what each deployment reached on each device."""

from collections import Counter
from collections.abc import Sequence
from typing import Literal, TextIO

from edgeflow.figures.figure import Figure
from edgeflow.report.columns import own_figures
from edgeflow.report.excerpt import LINES, telling
from edgeflow.report.rows import Row
from edgeflow.report.text import NONE, adaptive, gate_text, kib, metric, metric_title, shown
from edgeflow.tasks.chance import chance_note

HEADER = ("deployment", "device", "metric", "p50/p90 ms", "KiB", "measured on", "gates")
_FIGURES = HEADER[2:5]
_STYLES = {
    "passed": "green",
    "failed": "bold red",
    "rolled back": "bold red",
    "no gates": "dim",
    "not measured": "yellow",
    "compiled": "green",
    "not compiled": "yellow",
}


def _cells(row: Row) -> tuple[str, ...]:
    name = f"{row.model}/{row.recipe}"
    if not row.measured and not row.compiled:
        return (name, row.place, "", "", "", "", row.status)
    return (
        name,
        row.place,
        _change(row),
        _latency(row),
        kib(row.figure("model_bytes")),
        f"{row.transport}: {row.cpu}" if row.measured else "no device",
        row.verdict,
    )


def _change(row: Row) -> str:
    stages = (row.metric_baseline, row.metric_last)
    change = " → ".join(metric(row.metric, stage) for stage in stages)
    return f"{metric_title(row.metric)} {change}"


def _latency(row: Row) -> str:
    p50, p90 = row.figure("latency_p50_ms"), row.figure("latency_p90_ms")
    return NONE if p50 is None else f"{adaptive(p50)}/{adaptive(p90)}"


def _further(rows: Sequence[Row]) -> list[str]:
    """Return a line for each row with figures of its target, engine or sensors, and their kind."""
    lines = []
    for row in rows:
        texts = [_further_figure(row, figure) for figure in own_figures(row)]
        if texts:
            lines.append(f"{row.model}/{row.recipe} on {row.place}: {', '.join(texts)}")
    return lines


def _further_figure(row: Row, figure: Figure) -> str:
    value = f"{figure.title} {shown(figure, row.figure(figure.name))} {figure.unit}".rstrip()
    return f"{value} ({row.kinds[figure.name]})"


def _missed(rows: Sequence[Row]) -> list[str]:
    """Return a line for each gate that does not hold."""
    return [
        f"{row.model}/{row.recipe} on {row.place}: {gate.title} {gate.value}, "
        f"must be {gate.sign} {gate.limit}"
        for row in rows
        for gate in map(gate_text, row.checks)
        if not gate.passed
    ]


def _rolled_back(rows: Sequence[Row]) -> list[str]:
    """Return a line for each release that was rejected by hand."""
    return [
        f"{row.model}/{row.recipe} on {row.place}: rolled back: {row.rolled_back}"
        for row in rows
        if row.rolled_back is not None
    ]


def _by_chance(rows: Sequence[Row]) -> list[str]:
    """Return a line for each model that is no better than chance, whatever its gates compare."""
    noted = {row.model: chance_note(row.metric, row.confusion_baseline) for row in rows}
    return [f"{model}: {note}" for model, note in noted.items() if note]


def print_summary(rows: Sequence[Row], file: TextIO) -> None:
    """Print a line per row, then what else is known of rows, then a line per missed gate.

    It is a table on a terminal, of many rows those that tell most; else plain text of all.

    Colours are left out where NO_COLOR is set.
    """
    shown = telling(rows, LINES) if file.isatty() else rows
    if file.isatty():
        _print_table(shown, file)
    else:
        _print_plain(shown, file)
    for line in (*_further(shown), *_missed(shown), *_rolled_back(shown), *_by_chance(rows)):
        print(line, file=file)
    if len(shown) < len(rows):
        print(f"and {_counted(rows, shown)}: metrics.csv of the report has all", file=file)


def _counted(rows: Sequence[Row], shown: Sequence[Row]) -> str:
    """Return how many rows of each status are not shown."""
    rest = Counter(row.status for row in rows) - Counter(row.status for row in shown)
    return ", ".join(f"{count:,} more {status}" for status, count in rest.items())


def _print_table(rows: Sequence[Row], file: TextIO) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    for name in HEADER:
        figures = name in _FIGURES
        align: Literal["left", "right"] = "right" if figures else "left"
        table.add_column(name, justify=align, no_wrap=figures, overflow="fold")
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
