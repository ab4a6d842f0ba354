"""What a target says of a network before it is compiled: one line for each kind of operator."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from edgeflow.config.tflitefile import Operator, read_tflite
from edgeflow.targets.base import Lint, Severity, Target
from edgeflow.text import excerpt


def lint(target: type[Target], model: Path, options: Any) -> list[Lint]:
    """Return what a target says of a .tflite; nothing where it has no `lint`."""
    declared = getattr(target, "lint", None)
    return [] if declared is None else list(declared(model, options))


def operators_of(model: Path) -> tuple[Operator, ...]:
    """Return the operators of all graphs of a .tflite; none of a file that is no such."""
    found = read_tflite(model)
    return found.operators if found else ()


def by_name(operators: Iterable[Operator], severity: Severity, message: str) -> list[Lint]:
    """Return one finding for each name of operator, which names them by their indices.

    Args:
        operators: all those that the message is true of.
        severity: of the findings.
        message: what is to be said of each of them.
    """
    groups: dict[str, list[Operator]] = {}
    for operator in operators:
        groups.setdefault(operator.name, []).append(operator)
    return [
        Lint(
            severity=severity,
            place=place_of(name, len(group), group[0].output),
            message=message,
            operators=tuple(one.place for one in group if one.place is not None),
        )
        for name, group in groups.items()
    ]


def place_of(name: str, count: int, output: str) -> str:
    """Return how operators of one name are called: how many there are, and where the first is."""
    # Of an operator into which others were fused, the tensor has all their names, the last first.
    at = excerpt(output.partition(";")[0], 80)
    operator = excerpt(name, 80)
    return f"{operator} at {at}" if count == 1 else f"{count} {operator}, the first at {at}"
