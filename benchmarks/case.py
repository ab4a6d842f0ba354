"""What one measurement gave."""

import statistics
from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """Times of one run, and what they were to be.

    Attributes:
        what: what took `seconds`, one for each repetition.
        against: what took `baseline`; without one the target is a time.
        target: the largest ratio of the medians, or the largest median in seconds.
        events: event log of the last repetition.
    """

    name: str
    what: str
    target: float
    seconds: list[float]
    against: str = ""
    baseline: list[float] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def value(self) -> float:
        """The ratio of the medians, or the median."""
        own = median(self.seconds)
        return round(own / median(self.baseline), 2) if self.baseline else own

    @property
    def held(self) -> bool:
        """Whether the target is met."""
        return self.value <= self.target

    @property
    def steps(self) -> dict[str, dict[str, float]]:
        """How often each step ran in the last repetition, and how many seconds it took in all."""
        counts = Counter(event["step"] for event in self.events)
        return {
            step: {
                "runs": count,
                "seconds": round(
                    sum(event["seconds"] for event in self.events if event["step"] == step), 1
                ),
            }
            for step, count in counts.items()
        }

    def record(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "name": self.name,
            "what": self.what,
            "against": self.against,
            "seconds": self.seconds,
            "baseline": self.baseline,
            "value": self.value,
            "target": self.target,
            "held": self.held,
            "steps": self.steps,
        }


def median(seconds: list[float]) -> float:
    """Return the median, to hundredths of a second."""
    return round(statistics.median(seconds), 2)
