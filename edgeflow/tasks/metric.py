"""The one figure that a task's networks are judged by, and the gates that limit it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from edgeflow.figures.figure import NOT_NEGATIVE, SHARE, Figure

Validation = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Metric:
    """A figure of outputs and truth.

    Attributes:
        name: as in manifests, gates and tables, such as ``accuracy``.
        title: as people read it within a sentence.
        better: which of two values is the better one.
        meaning: what it is, as a part of a sentence.
        task: whose it is, by name.
        share: whether it is a share, 0..1, that people read in percent; otherwise it has the unit
            of the targets, and is 0 or more.
        worse_default: how much worse `auto` may make it where the recipe does not say; None where
            the recipe must.
    """

    name: str
    title: str
    better: Literal["higher", "lower"]
    meaning: str
    task: str
    share: bool = False
    worse_default: float | None = None

    @property
    def range(self) -> str:
        """Its range where it is a share, as a part of a sentence."""
        return ", 0..1" if self.share else ""

    @property
    def limit(self) -> Any:
        """Type of a limit on it."""
        return SHARE if self.share else NOT_NEGATIVE

    @property
    def level(self) -> Figure:
        """The metric on the device, as a figure."""
        return Figure(
            name=self.name,
            title=self.title,
            meaning=f"{self.title} on the device, or on the host of what is only compiled, with "
            f"`task: {self.task}`{self.range}",
            unit="%" if self.share else "",
            scale=100 if self.share else 1,
            bound="min" if self.better == "higher" else "max",
            limit=self.limit,
            reader=lambda validation: _last(self._own(validation)),
            in_results=False,  # it stands there for each stage
        )

    @property
    def change(self) -> Figure:
        """How much worse it is on the device than before any recipe, as a figure."""
        way, what = ("drop", "loss") if self.better == "higher" else ("rise", "rise")
        return Figure(
            name=f"{self.name}_{way}",
            title=f"{self.title} {way}",
            meaning=f"{what} of {self.title} from the model before any recipe to the device, with "
            f"`task: {self.task}`{self.range}",
            unit="pt" if self.share else "",
            scale=100 if self.share else 1,
            bound="max",
            limit=self.limit,
            reader=self._worse_on_device,
            in_results=False,
        )

    def worse_by(self, before: float, after: float) -> float:
        """Return how much worse `after` is than `before`; below 0 where it is better.

        Shares of a finite test set: without rounding 0.99 - 0.98 would miss a limit of 0.01.
        """
        return round(before - after if self.better == "higher" else after - before, 9)

    def _own(self, validation: Validation) -> Mapping[str, Any]:
        """Return the metric of validation.json at each stage; nothing if it is another task's."""
        stages: Mapping[str, Any] = validation["metric"]
        return stages if stages["name"] == self.name else {}

    def _worse_on_device(self, validation: Validation) -> float | None:
        stages = self._own(validation)
        last = _last(stages)
        return None if last is None else self.worse_by(stages["baseline"], last)


def _last(stages: Mapping[str, Any]) -> float | None:
    """Return the metric of the device, or of the compiled model where there is none."""
    value: float | None = stages.get("device", stages.get("compiled"))
    return value
