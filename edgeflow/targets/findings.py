"""What a target says of a model while it is compiled: told in the log, and kept if that fails."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from edgeflow.artifact.atomic import write_json
from edgeflow.console import say
from edgeflow.errors import CompileError, DeployError, MissingToolError, UnreachableError
from edgeflow.targets.base import Target
from edgeflow.targets.lint import lint

KEPT = "lint.json"
"""Findings of a compilation that failed, beside where its output would be."""


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What a target says of one model, asked once.

    Attributes:
        title: target, model and recipe, for messages.
        target: the target.
        options: its options.
        model: the recipe's model.tflite.
    """

    title: str
    target: type[Target]
    options: Any
    model: Path

    @cached_property
    def told(self) -> list[dict[str, Any]]:
        """All of them in JSON form; each is said the first time that one asks."""
        found = lint(self.target, self.model, self.options)
        for finding in found:
            say(f"{self.title}: {finding}")
        return [asdict(finding) for finding in found]

    @contextmanager
    def kept(self, out: Path) -> Iterator[None]:
        """Leave the findings in `out` where the block ends without a compiled model.

        They need no compiler: where that is missing, they are all that can be said, and where it
        refuses the model, they are likely the reason.
        """
        (out / KEPT).unlink(missing_ok=True)
        try:
            yield
        except (CompileError, DeployError, MissingToolError, UnreachableError):
            if self.told:
                write_json(out / KEPT, self.told)
            raise
