"""Which rows nothing else beats."""

from collections.abc import Callable, Sequence

from edgeflow.report.rows import Row

Objective = Callable[[Row], float | None]
"""Reads a figure of a row; None where it was not measured."""


def accuracy(row: Row) -> float | None:
    """Return the accuracy on the device, 0..1."""
    return row.accuracy_device


def latency(row: Row) -> float | None:
    """Return the median latency in ms."""
    return row.latency_p50_ms


def packed_size(row: Row) -> float | None:
    """Return the size of the compiled model after entropy coding, in bytes."""
    return row.model_packed_bytes


def pareto(rows: Sequence[Row], *costs: Objective) -> list[Row]:
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
    """Return the rows on the front of accuracy, latency and packed size.

    Rows of one model and target are compared: accuracies of other data and latencies of other
    hardware say nothing about a row.
    """
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.model, row.target), []).append(row)
    return [row for group in groups.values() for row in pareto(group, latency, packed_size)]


def _point(row: Row, costs: Sequence[Objective]) -> tuple[float, ...] | None:
    """Return the costs and the negative accuracy: less is better in each."""
    figures = [cost(row) for cost in costs]
    share = accuracy(row)
    if share is None:
        return None
    known = [figure for figure in figures if figure is not None]
    return (*known, -share) if len(known) == len(figures) else None


def _beats(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(mine <= theirs for mine, theirs in zip(one, other, strict=True))
