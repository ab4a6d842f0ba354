"""Confusion matrices of one row: trained model, device, and what changed between them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgeflow.report.plots.style import figure
from edgeflow.report.rows import Matrix
from edgeflow.report.theme import INK, MUTED, SERIES, SURFACE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_DRAWN = 100
"""Classes up to which a matrix is drawn: of more, no cell can be told from the next."""
_MOST_WRITTEN = 12
"""Classes up to which counts fit into their cells."""
_MOST_NAMED = 24
"""Classes up to which every one is named on the axes."""
_LONGEST_NAME = 12
_DARK = 0.6
"""Opacity from which a count is written in the surface's colour."""
_MORE, _LESS = SERIES[1].light, SERIES[0].light


def difference(before: Matrix, after: Matrix) -> list[list[int]]:
    """Return `after` minus `before`, cell by cell."""
    pairs = zip(before, after, strict=True)
    return [[new - old for old, new in zip(a, b, strict=True)] for a, b in pairs]


def draw(labels: Sequence[str], before: Matrix, after: Matrix, path: Path) -> None:
    """Draw the float model's matrix, the device's, and their difference."""
    change = difference(before, after)
    with figure(path, 9.2, 3.5) as drawing:
        axes = drawing.subplots(1, 3)
        _matrix(axes[0], "float model", labels, before)
        _matrix(axes[1], "on the device", labels, after)
        _matrix(axes[2], "device minus float", labels, change, signed=True)
        axes[0].set_ylabel("true class")
        if not any(any(line) for line in change):
            axes[2].text(
                0.5,
                0.5,
                "no difference",
                transform=axes[2].transAxes,
                ha="center",
                va="center",
                color=MUTED.light,
            )


def _matrix(
    axis: "Axes", title: str, labels: Sequence[str], matrix: Matrix, *, signed: bool = False
) -> None:
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    cells = [(r, c, n) for r, line in enumerate(matrix) for c, n in enumerate(line) if n]
    peak = max((abs(count) for _, _, count in cells), default=1)
    squares = [Rectangle((column - 0.5, row - 0.5), 1, 1) for row, column, _ in cells]
    # Opacity over the surface, not a colour map: it reads the same on light and on dark.
    fills = [(_MORE if signed and n > 0 else _LESS, _opacity(n, peak)) for *_, n in cells]
    axis.add_collection(PatchCollection(squares, facecolors=fills, edgecolors="none"))
    if len(labels) <= _MOST_WRITTEN:
        for (row, column, count), (_, opacity) in zip(cells, fills, strict=True):
            colour = SURFACE.light if opacity > _DARK else INK.light
            text = f"{count:+d}" if signed else str(count)
            axis.text(column, row, text, ha="center", va="center", fontsize=7, color=colour)
    _dress(axis, title, labels)


def _opacity(count: int, peak: int) -> float:
    return 0.12 + 0.88 * abs(count) / peak


def _dress(axis: "Axes", title: str, labels: Sequence[str]) -> None:
    size = len(labels)
    every = range(0, size, -(-size // _MOST_NAMED))
    names = [
        label if len(label) <= _LONGEST_NAME else f"{label[: _LONGEST_NAME - 1]}…"
        for label in labels
    ]
    long = max(map(len, names), default=0) > 2
    axis.set_xticks(every, [names[i] for i in every], rotation=90 if long else 0, fontsize=7)
    axis.set_yticks(every, [names[i] for i in every], fontsize=7)
    axis.set(xlim=(-0.5, size - 0.5), ylim=(size - 0.5, -0.5), aspect="equal", title=title)
    axis.set_xlabel("predicted class")
    axis.tick_params(length=0)
    for side in ("top", "right"):
        axis.spines[side].set_visible(True)
