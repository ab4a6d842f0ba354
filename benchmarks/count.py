"""What was counted, and what it was to be: the rows of tables of their own."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.project import ROOT
from benchmarks.table import replace_between

PAGE = ROOT / "docs" / "targets" / "mcu.md"


@dataclass(frozen=True, kw_only=True, slots=True)
class Count:
    """One figure of one network or fleet.

    Attributes:
        name: of that.
        what: is counted.
        value: of it.
        unit: such as ``bytes``.
        target: the largest ratio to the baseline, or the largest value without one; None for a
            figure that nothing was asked of.
        against: what the baseline is.
        baseline: likewise counted, in this run.
    """

    name: str
    what: str
    value: float
    unit: str
    target: float | None = None
    against: str = ""
    baseline: float | None = None

    @property
    def measured(self) -> float:
        """The ratio, or the value."""
        return round(self.value / self.baseline, 3) if self.baseline else self.value

    @property
    def held(self) -> bool:
        """Whether the target is met."""
        return self.target is None or self.measured <= self.target

    def record(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "name": self.name,
            "what": self.what,
            "value": self.value,
            "unit": self.unit,
            "against": self.against,
            "baseline": self.baseline,
            "measured": self.measured,
            "target": self.target,
            "held": self.held,
        }


def update_counts(
    counts: Sequence[Count], page: Path = PAGE, name: str = "benchmarks", of: str = "network"
) -> None:
    """Write a table into a page, docs/targets/mcu.md by default.

    Args:
        name: of the markers.
        of: title of the first column.
    """
    lines = [
        f"| {of} | what | counted | against | measured | target | held |",
        "|---|---|---|---|---|---|---|",
        *map(_row, counts),
    ]
    replace_between(page, "\n".join(lines) + "\n", name)


def _row(count: Count) -> str:
    times = "times" if count.baseline else count.unit
    baseline = f"{count.against}: {_number(count.baseline)}" if count.baseline else "-"
    cells = (
        count.name,
        count.what,
        f"{_number(count.value)} {count.unit}",
        baseline,
        f"{count.measured:.2f} times" if count.baseline else "-",
        f"≤ {count.target:g} {times}" if count.target is not None else "-",
        "-" if count.target is None else "yes" if count.held else "no",
    )
    return "| " + " | ".join(cells) + " |"


def _number(value: float) -> str:
    return f"{value:,.2f}" if value < 10 and value % 1 else f"{value:,.0f}"
