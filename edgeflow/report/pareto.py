"""Pareto fronts: which rows nothing else beats."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from edgeflow.report.rows import Row
from edgeflow.tasks.registry import METRICS


@dataclass(frozen=True, kw_only=True, slots=True)
class Front:
    """A Pareto front of the metric on the device and of figures of which less is better.

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


METRIC_LATENCY = Front(name="metric-latency front", costs=("latency_p50_ms",), per_target=False)
METRIC_SIZE = Front(name="metric-size front", costs=("model_packed_bytes",), per_target=True)
METRIC_LATENCY_SIZE = Front(
    name="metric-latency-size front",
    costs=("latency_p50_ms", "model_packed_bytes"),
    per_target=True,
)


def metric_loss(row: Row) -> float | None:
    """Return the metric on the device, negative where more is better: less is better then."""
    if row.metric is None or row.metric_device is None:
        return None
    return row.metric_device if METRICS[row.metric].better == "lower" else -row.metric_device


def pareto(rows: Sequence[Row], *costs: str) -> list[Row]:
    """Return the rows that no other beats in its metric and costs, the cheapest first.

    One row beats another if it is as good in all of them and better in one. Rows that lack one
    of the figures do not count.
    """
    points = [(point, row) for row in rows if (point := _point(row, costs))]
    front = _unbeaten({point for point, _ in points})
    best = [(point, row) for point, row in points if point in front]
    return [row for _, row in sorted(best, key=lambda pair: pair[0])]


def efficient(rows: Sequence[Row]) -> list[Row]:
    """Return the rows on the front of metric, latency and packed size, model by model.

    Metrics of other data and latencies of other hardware say nothing about a row.
    """
    models: dict[str, list[Row]] = {}
    for row in rows:
        models.setdefault(row.model, []).append(row)
    fronts = (METRIC_LATENCY_SIZE.of(group).values() for group in models.values())
    return [row for fronts_of_model in fronts for front in fronts_of_model for row in front]


def _point(row: Row, costs: Sequence[str]) -> tuple[float, ...] | None:
    """Return the costs and the loss by the metric: less is better in each."""
    figures = [*(row.figure(name) for name in costs), metric_loss(row)]
    known = [figure for figure in figures if figure is not None]
    return tuple(known) if len(known) == len(figures) else None


def _unbeaten(points: set[tuple[float, ...]]) -> set[tuple[float, ...]]:
    """Return the points of two or three figures that no other beats, in n log n.

    In the order of the first figure only what came before can beat a point. Of that, the points
    that matter form a staircase: the larger the next figure, the smaller the last.
    (H. T. Kung, F. Luccio, F. P. Preparata, "On Finding the Maxima of a Set of Vectors", 1975.)
    """
    front = set()
    middles, lasts = list[float](), list[float]()
    for point in sorted(points):
        middle, last = point[1] if len(point) == 3 else 0.0, point[-1]
        place = bisect_right(middles, middle)
        if place and lasts[place - 1] <= last:
            continue
        front.add(point)
        start = bisect_left(middles, middle)
        end = next((at for at in range(start, len(lasts)) if lasts[at] < last), len(lasts))
        middles[start:end], lasts[start:end] = [middle], [last]
    return front
