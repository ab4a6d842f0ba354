"""The one tree of failures; each leaf has an exit code that scripts may rely on.

EdgeflowError (1)
 ├── ConfigError (2)        the configuration is wrong; lists every problem at once
 ├── MissingToolError (3)   a compiler, interpreter or package is not installed
 ├── UnreachableError (4)   a device does not answer
 ├── DeployError (5)        a device refused the bundle, or cannot run it
 ├── GateError (6)          a measured figure misses its gate
 ├── CompileError (7)       a target's compiler rejected the model
 ├── IntegrityError (8)     bytes are not the ones that were promised
 ├── DataError (9)          a dataset is missing, corrupt or unusable
 └── TrainingError (10)     training diverged or cannot start
"""

from collections.abc import Sequence
from dataclasses import dataclass


class EdgeflowError(Exception):
    """A failure that the user can act on.

    Args:
        message: what failed and why it is likely.
        hint: what to run or change next; printed on its own line.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  hint: {self.hint}" if self.hint else self.message


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One thing wrong in a configuration: where (``models.a.train``), what, what was meant."""

    path: str
    message: str
    hint: str = ""
    line: int | None = None

    def __str__(self) -> str:
        where = f"line {self.line}: {self.path}" if self.line else self.path
        return f"{where}: {self.message}" + (f" ({self.hint})" if self.hint else "")


class ConfigError(EdgeflowError):
    """The configuration cannot be used. ``problems`` holds all that is wrong with it."""

    exit_code = 2

    def __init__(self, problems: Sequence[Problem], *, source: str = "config") -> None:
        self.problems = tuple(problems)
        count = f"{len(problems)} problem{'s' if len(problems) != 1 else ''}"
        lines = "".join(f"\n  - {problem}" for problem in problems)
        super().__init__(
            f"{count} in {source}{lines}", hint="fix the file, then run `edgeflow check`"
        )


class MissingToolError(EdgeflowError):
    """A compiler, interpreter or package that a step needs is not installed."""

    exit_code = 3


class UnreachableError(EdgeflowError):
    """A device does not answer, or not in time."""

    exit_code = 4


class DeployError(EdgeflowError):
    """A device refused a bundle, or cannot run it."""

    exit_code = 5


class GateError(EdgeflowError):
    """A measured figure misses its gate."""

    exit_code = 6


class CompileError(EdgeflowError):
    """A target's compiler rejected the model."""

    exit_code = 7


class IntegrityError(EdgeflowError):
    """Bytes differ from what a manifest, a pin or a signature promises."""

    exit_code = 8


class DataError(EdgeflowError):
    """A dataset is missing, corrupt, or cannot be split as asked."""

    exit_code = 9


class TrainingError(EdgeflowError):
    """Training diverged, or the architecture cannot be built."""

    exit_code = 10
