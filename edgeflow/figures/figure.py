"""What a figure is. Targets declare their own as values of this class."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

from pydantic import Field

Kind = Literal["measured", "compiled", "emulated", "estimated"]
"""Where a figure comes from.

Silicon, what the compiler counts exactly, an emulator that does, or a model of the hardware.

What a file or the test samples give is measured too.
"""

Bound = Literal["min", "max"]
Reader = Callable[[Mapping[str, Any]], float | None]

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")

SHARE = Annotated[float, Field(ge=0, le=1)]
POSITIVE = Annotated[float, Field(gt=0)]
NOT_NEGATIVE = Annotated[float, Field(ge=0)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """One number that is known of a model on a device, or is not.

    Attributes:
        name: identifier with the unit in it, such as `latency_p90_ms`; its column in metrics.csv.
        title: in the middle of a sentence.
        meaning: what it is, as the rest of a sentence: "the 90th percentile of the latency".
        unit: of the figure as people read it.
        scale: from the figure to that unit.
        kind: where it comes from.
        bound: which side a gate limits; None where no gate can.
        limit: type of the gate's limit in the configuration.
        reader: returns the figure from validation.json, or None where it was not measured; by
            default it stands there by its name among `figures`.
        needs_clock: whether it is of the process that runs the engine, so that an engine without
            a clock has none.
        needs_emulator: whether an emulator of the device's CPU counts it, so that real devices
            have none.
        needs_device: whether it compares a device with the host, so that there is none of a model
            that was only compiled.
        group: heading over the column in the report, by default the title.
        column: heading of the column, by default the unit.
        counts: whether it counts things, so that a whole value is shown without a fraction.
        in_results: whether the report's table of results has a column for it.
    """

    name: str
    title: str
    meaning: str
    unit: str = ""
    scale: float = 1.0
    kind: Kind = "measured"
    bound: Bound | None = None
    limit: Any = POSITIVE
    reader: Reader | None = None
    needs_clock: bool = False
    needs_emulator: bool = False
    needs_device: bool = False
    group: str = ""
    column: str = ""
    counts: bool = False
    in_results: bool = True

    def __post_init__(self) -> None:
        """Refuse what cannot be a column of metrics.csv, a gate or a kind; raises ValueError."""
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                f"figure {self.name!r}: a name is lower-case letters, digits and _, at most 64, "
                "with a letter first"
            )
        if self.kind not in get_args(Kind):
            raise ValueError(f"figure {self.name}: kind {self.kind!r} is none of {get_args(Kind)}")
        if self.bound is not None and self.bound not in get_args(Bound):
            raise ValueError(
                f"figure {self.name}: bound {self.bound!r} is none of {get_args(Bound)}, nor None"
            )

    @property
    def gate(self) -> str | None:
        """Name of the gate on it, such as `latency_p90_ms_max`."""
        return self.bound and f"{self.name}_{self.bound}"

    @property
    def description(self) -> str:
        """What its gate limits, as a sentence."""
        return f"{'Smallest' if self.bound == 'min' else 'Largest'} {self.meaning}."

    def read(self, validation: Mapping[str, Any]) -> float | None:
        """Return the figure from validation.json; None where it was not measured."""
        if self.reader is not None:
            return self.reader(validation)
        value: float | None = validation["figures"].get(self.name)
        return value

    def holds(self, value: float, limit: float) -> bool:
        """Return whether a value keeps within the limit of its gate."""
        return value >= limit if self.bound == "min" else value <= limit
