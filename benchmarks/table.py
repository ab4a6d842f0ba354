"""The tables of docs/, each between its two markers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.case import Case, median
from benchmarks.project import ROOT

PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- {}: begin -->", "<!-- {}: end -->"


def update(result: dict[str, Any]) -> None:
    """Write the table of all cases into docs/performance.md."""
    replace_between(PAGE, table(result))


def replace_between(page: Path, text: str, name: str = "benchmarks") -> None:
    """Replace what stands between the markers of a name in a page."""
    begin, end = BEGIN.format(name), END.format(name)
    before, _, rest = page.read_text().partition(begin)
    _, _, after = rest.partition(end)
    page.write_text(f"{before}{begin}\n{text}{end}{after}")


def table(result: dict[str, Any]) -> str:
    """Return machine, versions and one row for each case, as Markdown."""
    facts = ", ".join(f"{name} {result[name]}" for name in result if name not in _OWN_LINE)
    head = f"{result['machine']}; {result['system']}; {facts}.\n\n"
    return head + _rows([case for case in result["cases"] if "seconds" in case])


def rows(cases: Sequence[Case]) -> str:
    """Return one row for each case, as Markdown."""
    return _rows([case.record() for case in cases])


def _rows(records: Sequence[dict[str, Any]]) -> str:
    lines = [
        "| what | seconds | against | seconds | measured | target | held |",
        "|---|---|---|---|---|---|---|",
        *map(_row, records),
    ]
    return "\n".join(lines) + "\n"


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f}" if seconds < 1 else f"{seconds:.1f}"


_OWN_LINE = ("machine", "system", "cases")


def _row(case: dict[str, Any]) -> str:
    ratio = bool(case["baseline"])
    cells = (
        f"{case['name']}: {case['what']}",
        f"{_seconds(median(case['seconds']))} (of {len(case['seconds'])})",
        case["against"] or "-",
        _seconds(median(case["baseline"])) if ratio else "-",
        f"{case['value']:.2f} times" if ratio else f"{_seconds(case['value'])} s",
        f"≤ {case['target']:g} {'times' if ratio else 's'}",
        "yes" if case["held"] else "no",
    )
    return "| " + " | ".join(cells) + " |"
