"""The one tree of failures; each leaf has an exit code that scripts may rely on.

EdgeflowError (1)
 ├── ConfigError (2)
 ├── MissingToolError (3)
 ├── UnreachableError (4)
 ├── DeployError (5)
 ├── GateError (6)
 ├── CompileError (7)
 ├── IntegrityError (8)
 ├── DataError (9)
 ├── TrainingError (10)
 ├── StorageError (11)
 ├── RolloutError (12)
 └── SigningError (13)
"""

import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

LISTED = 100
"""Problems of a file that a message names; programs get all of them."""


class EdgeflowError(Exception):
    """A failure that the user can act on.

    Args:
        message: what failed and why it is likely.
        hint: what to run or change next; printed on its own line.

    Attributes:
        exit_code: what the command exits with.
        anchor: its entry in docs/errors.md.
    """

    exit_code: int = 1
    anchor: str = "other"

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
    """The configuration or the command line is wrong.

    Attributes:
        problems: all that is wrong with a configuration.
    """

    exit_code, anchor = 2, "config"

    def __init__(
        self,
        problems: Sequence[Problem],
        *,
        source: str = "config",
        hint: str = "fix the file, then run `edgeflow check`",
    ) -> None:
        self.problems = tuple(problems)
        count = f"{len(problems):,} problem{'s' if len(problems) != 1 else ''}"
        lines = "".join(f"\n  - {problem}" for problem in problems[:LISTED])
        more = f"\n  and {len(problems) - LISTED:,} more" if len(problems) > LISTED else ""
        super().__init__(f"{count} in {source}{lines}{more}", hint=hint)


class MissingToolError(EdgeflowError):
    """A compiler, interpreter or package is not installed."""

    exit_code, anchor = 3, "missing-tool"


class UnreachableError(EdgeflowError):
    """A device or compile host does not answer, or not in time."""

    exit_code, anchor = 4, "unreachable"


class DeployError(EdgeflowError):
    """A device or host refuses the login or bundle, cannot run it, or gives a malformed answer."""

    exit_code, anchor = 5, "deploy"


class GateError(EdgeflowError):
    """A measured figure misses its gate; the device serves what it served before."""

    exit_code, anchor = 6, "gate"


class CompileError(EdgeflowError):
    """A converter or compiler rejects the model, or changes it."""

    exit_code, anchor = 7, "compile"


class IntegrityError(EdgeflowError):
    """Bytes are not the ones that a manifest, a pin or the plan promises."""

    exit_code, anchor = 8, "integrity"


class DataError(EdgeflowError):
    """A dataset is missing, corrupt or unusable."""

    exit_code, anchor = 9, "data"


class TrainingError(EdgeflowError):
    """The training diverged or cannot start."""

    exit_code, anchor = 10, "training"


class StorageError(EdgeflowError):
    """A file or folder here cannot be written or read: no permission, read-only, or no space."""

    exit_code, anchor = 11, "storage"


class RolloutError(EdgeflowError):
    """A rollout ended before its last wave: by its budgets, or because it was told to."""

    exit_code, anchor = 12, "rollout"


class SigningError(EdgeflowError):
    """A bundle cannot be signed: no key, or its signature is to be made on another machine."""

    exit_code, anchor = 13, "signing"


_SPACE = "`df -h .` tells what is free: remove what you no longer need, then run again"
_RIGHTS = "`ls -ld` and `id` tell who may and who you are: change its owner or mode, then run again"
_STORAGE = {
    errno.EROFS: "its file system is mounted read-only: copy the project to one that is not",
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.ENOSPC: _SPACE,
    errno.EDQUOT: _SPACE,
}
"""Hints by the numbers of the system's errors that are the user's to put right."""


def known(error: Exception) -> EdgeflowError | None:
    """Return an exception as a failure that the user can act on; None for a defect.

    What the file system refuses can come from anywhere, so it gets its class here.
    """
    if isinstance(error, EdgeflowError):
        return error
    hint = _STORAGE.get(error.errno or 0) if isinstance(error, OSError) else None
    if hint is None or not isinstance(error, OSError):
        return None
    named = isinstance(error.filename, str | bytes | os.PathLike)
    place = os.fsdecode(error.filename) if named else "a file"
    return StorageError(f"{place}: {error.strerror}", hint=hint)


def leaves() -> list[type[EdgeflowError]]:
    """Return the classes of failure that have an exit code of their own."""
    return [kind for kind in EdgeflowError.__subclasses__() if "exit_code" in vars(kind)]


def shown(error: EdgeflowError, log: Path | None = None) -> str:
    """Return what a command prints of a failure that ends it, and the log that has more."""
    more = f"\n  log: {log}" if log else ""
    return f"error: {error}{more}\n  see: edgeflow help {error.anchor}"
