"""What is to be said of data."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

NAMED = 10
"""Files that a finding names; the others are counted."""

PICTURES = 8
"""Files of a finding that are shown."""

Level = Literal["error", "warning", "note"]
"""error: a build would fail. warning: the figures would suffer or mislead. note: good to know."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing to say.

    Attributes:
        level: how grave it is.
        message: what was found.
        hint: what to do about it.
        files: the first files that it is about, in words.
        pictures: names of some of them, to show.
    """

    level: Level
    message: str
    hint: str = ""
    files: tuple[str, ...] = ()
    pictures: tuple[str, ...] = ()

    def line(self) -> str:
        """Return it as one line."""
        return f"{self.level}: {self.told()}" + (f" ({self.hint})" if self.hint else "")

    def told(self) -> str:
        """Return what was found, with its files."""
        return self.message + (f": {', '.join(self.files)}" if self.files else "")


def about(
    level: Level, message: str, files: Sequence[str], hint: str = "", pictures: Sequence[str] = ()
) -> Finding:
    """Return a finding that names the first of many files."""
    shown = tuple(files[:NAMED])
    more = f" (the first {NAMED})" if len(files) > NAMED else ""
    return Finding(
        level=level,
        message=message + more,
        hint=hint,
        files=shown,
        pictures=tuple(pictures[:PICTURES]),
    )


def failed(findings: Iterable[Finding]) -> bool:
    """Return whether a build would fail."""
    return any(finding.level == "error" for finding in findings)


def counted(count: int, one: str, many: str = "") -> str:
    """Return a number with its noun, as in `1 file` and `2 files`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
