"""How lists look: columns on a terminal and elsewhere, without colours."""

from collections.abc import Sequence
from datetime import datetime


def print_columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows below a header in capitals, each column as wide as its longest cell."""
    lines = [[title.upper() for title in header], *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(cells).rstrip())


def short_sha(digest: str | None) -> str:
    """Return the start of a digest, as people compare it; a dash for none."""
    return digest[:12] if digest else "-"


def when(unix_s: float) -> str:
    """Return a time for people, in this machine's zone."""
    return datetime.fromtimestamp(unix_s).astimezone().strftime("%Y-%m-%d %H:%M")
