"""Gates: the figures of a validation against the limits of a deployment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgeflow.config.gates import figures_of
from edgeflow.figures.figure import Figure
from edgeflow.text import plain

Validation = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class GateResult:
    """A figure and the limit that it was held to; its value is None where it cannot exist."""

    figure: Figure
    limit: float
    value: float | None

    @property
    def name(self) -> str:
        """Name of the gate in the configuration."""
        return str(self.figure.gate)

    @property
    def passed(self) -> bool:
        """Whether the limit holds; what is not known is not met."""
        return self.value is not None and self.figure.holds(self.value, self.limit)

    def to_json(self) -> dict[str, Any]:
        """Return its form in gates.json."""
        return {
            "name": self.name,
            "kind": self.figure.kind,
            "limit": self.limit,
            "value": self.value,
            "passed": self.passed,
        }

    def __str__(self) -> str:
        sign = ">=" if self.figure.bound == "min" else "<="
        return f"{self.name}: {self._value} (must be {sign} {plain(self.limit)})"

    @property
    def _value(self) -> str:
        if self.value is None:
            return "not measured"
        kind = "" if self.figure.kind == "measured" else f" {self.figure.kind}"
        return f"{plain(self.value)}{kind}"


def misses(name: str, failed: Sequence[GateResult]) -> str:
    """Return in words which gates something misses, each in a line."""
    count = f"{len(failed)} gate{'s' if len(failed) > 1 else ''}"
    return f"{name} misses {count}" + "".join(f"\n  - {result}" for result in failed)


def check_gates(validation: Validation, gates: Mapping[str, float]) -> list[GateResult]:
    """Return the outcome of each gate, in the order of their names."""
    figures = {figure.gate: figure for figure in figures_of([validation["kind"]]).values()}
    return [
        GateResult(figure=figures[name], limit=limit, value=figures[name].read(validation))
        for name, limit in sorted(gates.items())
    ]
