"""Pareto fronts: which rows nothing else beats."""

from collections.abc import Sequence
from dataclasses import dataclass

from edgeflow.report.rows import Row


@dataclass(frozen=True, kw_only=True, slots=True)
class Front:
    """A Pareto front of the accuracy on the device and of figures of which less is better.

    Attributes:
        name: says of what it is the front.
        costs: names of the figures.
        per_target: whether only rows of one target are compared.
    """

    name: str
    costs: tuple[str, ...]
    per_target: bool

    def of(self, rows: Sequence[Row]) -> dict[str | None, list[Row]]:
        """Return the front of each target, or by None that over all targets."""
        if not self.per_target:
            return {None: pareto(rows, *self.costs)}
        targets = dict.fromkeys(row.target for row in rows)
        return {
            name: pareto([row for row in rows if row.target == name], *self.costs)
            for name in targets
        }


ACCURACY_LATENCY = Front(name="accuracy-latency front", costs=("latency_p50_ms",), per_target=False)
ACCURACY_SIZE = Front(name="accuracy-size front", costs=("model_packed_bytes",), per_target=True)
ACCURACY_LATENCY_SIZE = Front(
    name="accuracy-latency-size front",
    costs=("latency_p50_ms", "model_packed_bytes"),
    per_target=True,
)


def accuracy(row: Row) -> float | None:
    """Return the accuracy on the device, 0..1."""
    return row.accuracy_device


def pareto(rows: Sequence[Row], *costs: str) -> list[Row]:
    """Return the rows that no other beats in accuracy and costs, the cheapest first.

    One row beats another if it is as good in all of them and better in one. Rows that lack one
    of the figures do not count.
    """
    points = [(point, row) for row in rows if (point := _point(row, costs))]
    front = [
        (mine, row) for mine, row in points if not any(_beats(other, mine) for other, _ in points)
    ]
    return [row for _, row in sorted(front, key=lambda pair: pair[0])]


def efficient(rows: Sequence[Row]) -> list[Row]:
    """Return the rows on the front of accuracy, latency and packed size, model by model.

    Accuracies of other data and latencies of other hardware say nothing about a row.
    """
    models: dict[str, list[Row]] = {}
    for row in rows:
        models.setdefault(row.model, []).append(row)
    fronts = (ACCURACY_LATENCY_SIZE.of(group).values() for group in models.values())
    return [row for fronts_of_model in fronts for front in fronts_of_model for row in front]


def _point(row: Row, costs: Sequence[str]) -> tuple[float, ...] | None:
    """Return the costs and the negative accuracy: less is better in each."""
    figures = [row.figure(name) for name in costs]
    share = accuracy(row)
    if share is None:
        return None
    known = [figure for figure in figures if figure is not None]
    return (*known, -share) if len(known) == len(figures) else None


def _beats(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(mine <= theirs for mine, theirs in zip(one, other, strict=True))
