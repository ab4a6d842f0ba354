"""Names beside points, left out where they would cover one another."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from edgeflow.report.theme import MUTED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.transforms import Bbox

MOST = 40
"""Points that get a try; more names than this are noise."""

# Offset in points and alignment: above, below, left, right; then above to either side.
_SPOTS: tuple[tuple[tuple[int, int], str, str], ...] = (
    ((0, 7), "center", "bottom"),
    ((0, -7), "center", "top"),
    ((-8, 0), "right", "center"),
    ((8, 0), "left", "center"),
    ((4, 6), "left", "bottom"),
    ((-4, 6), "right", "bottom"),
)


def place_labels(
    axis: "Axes",
    points: Sequence[tuple[float, float, str]],
    whiskers: Sequence[tuple[float, float, float]] = (),
) -> int:
    """Write each (x, y, name) beside its point, first come first served; return how many fit.

    The layout of the figure must be settled, limits and scales included.

    Args:
        whiskers: start, end and height of horizontal lines that no name may cover.
    """
    from matplotlib.transforms import Bbox

    pixels = axis.transData.transform([(x, y) for x, y, _ in points])
    taken = [Bbox.from_bounds(x - 5, y - 5, 10, 10) for x, y in pixels]
    taken += [thing.get_window_extent() for thing in (*axis.texts, *axis.lines)]
    ends = [((start, y), (end, y)) for start, end, y in whiskers]
    taken += [Bbox(axis.transData.transform(pair)) for pair in ends]
    return sum(_place(axis, point, taken) for point in points[:MOST])


def _place(axis: "Axes", point: tuple[float, float, str], taken: list["Bbox"]) -> bool:
    x, y, name = point
    for offset, horizontal, vertical in _SPOTS:
        options: dict[str, Any] = {"ha": horizontal, "va": vertical}
        text = axis.annotate(
            name,
            (x, y),
            offset,
            textcoords="offset points",
            fontsize=8,
            color=MUTED.light,
            **options,
        )
        box = text.get_window_extent()
        inside = axis.bbox.x0 <= box.x0 and box.x1 <= axis.bbox.x1
        if inside and not any(box.overlaps(other) for other in taken):
            text.set_in_layout(False)
            taken.append(box)
            return True
        text.remove()
    return False
