"""Which operators of a .tflite a target takes, by what its `lint` says."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgeflow.config.modelbytes import flaw
from edgeflow.config.tflitefile import read_tflite
from edgeflow.errors import CompileError
from edgeflow.targets.base import Lint, Target
from edgeflow.targets.lint import lint


@dataclass(frozen=True, kw_only=True, slots=True)
class Covered:
    """One operator of the main graph, and whether a target takes it.

    Attributes:
        index: its place in the file.
        operator: its name in LiteRT's schema, or that of a custom operator.
        version: of the operator, as the file has it.
        mapped: whether no warning names it.
        reason: why it does not map, or what a note says of it; empty where nothing is said.
    """

    index: int
    operator: str
    version: int
    mapped: bool
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Coverage:
    """The operators of the main graph, and all that the target says of the file."""

    operators: tuple[Covered, ...]
    findings: tuple[Lint, ...]

    @property
    def unmapped(self) -> list[Covered]:
        """Those that do not map."""
        return [one for one in self.operators if not one.mapped]

    @property
    def said(self) -> list[Lint]:
        """What is said of the model as a whole."""
        return [one for one in self.findings if not one.operators]

    def record(self) -> dict[str, Any]:
        """Return it in JSON form."""
        return {
            "operators": [asdict(one) for one in self.operators],
            "mapped": len(self.operators) - len(self.unmapped),
            "unmapped": len(self.unmapped),
            "first_unmapped": next((one.index for one in self.unmapped), None),
            "findings": [asdict(one) for one in self.findings],
        }


def cover(target: type[Target], model: Path, options: Any, refused: Lint | None = None) -> Coverage:
    """Ask a target about each operator of a .tflite.

    Args:
        target: a kind.
        model: the file.
        options: of the target.
        refused: what speaks against the file whatever its operators, said where the target has
            nothing to say of an operator.

    Raises:
        CompileError: the file is no .tflite, or damaged.
    """
    read = read_tflite(model)
    if read is None:
        raise CompileError(
            flaw(model) or f"{model} is no .tflite, or is damaged", hint="export it again"
        )
    findings = lint(target, model, options) if hasattr(target, "lint") else [_SILENT]
    reasons = _by_operator(findings)
    if refused and any(_is_mapped(reasons.get(index)) for index in refused.operators):
        findings = [*findings, refused]
        reasons = _by_operator(findings)
    return Coverage(
        operators=tuple(
            _covered(one.place, one.name, one.version, reasons.get(one.place))
            for one in read.operators
            if one.place is not None
        ),
        findings=tuple(findings),
    )


def _by_operator(findings: Sequence[Lint]) -> dict[int, Lint]:
    """Return what is said of operators, by their indices: a warning before a note."""
    reasons: dict[int, Lint] = {}
    for finding in sorted(findings, key=lambda one: one.severity != "warning"):
        for index in finding.operators:
            reasons.setdefault(index, finding)
    return reasons


def _is_mapped(finding: Lint | None) -> bool:
    return finding is None or finding.severity != "warning"


_SILENT = Lint(
    severity="note",
    place="model",
    message="this kind of target does not judge operators before it compiles them",
)


def _covered(index: int, name: str, version: int, finding: Lint | None) -> Covered:
    return Covered(
        index=index,
        operator=name,
        version=version,
        mapped=_is_mapped(finding),
        reason=finding.message if finding else "",
    )
