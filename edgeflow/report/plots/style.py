"""What all plots share: one look, and the same bytes for the same rows."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeflow.report.theme import INK, LINE, MUTED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_RC: Any = {
    "svg.fonttype": "none",  # text stays text: small files that can be searched and read aloud
    "svg.hashsalt": "edgeflow",
    "text.parse_math": False,  # a dollar sign in a name is a dollar sign
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib: the same layout everywhere
    "font.size": 9,
    "text.color": INK.light,
    "axes.labelcolor": MUTED.light,
    "axes.titlecolor": INK.light,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.edgecolor": LINE.light,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": LINE.light,
    "grid.linewidth": 0.6,
    "xtick.color": LINE.light,
    "ytick.color": LINE.light,
    "xtick.labelcolor": MUTED.light,
    "ytick.labelcolor": MUTED.light,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
}


@contextmanager
def figure(path: Path, width_in: float, height_in: float) -> Iterator["Figure"]:
    """Yield a figure that is written to `path` as SVG when the block succeeds."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(_RC):
        # 72 dpi is what SVG is drawn at: labels are measured in the units they are drawn in.
        drawing = Figure(figsize=(width_in, height_in), dpi=72, layout="constrained")
        yield drawing
        drawing.savefig(
            path,
            format="svg",
            transparent=True,
            metadata={"Date": None, "Creator": None, "Format": None, "Type": None},
        )


def note(drawing: "Figure", text: str) -> None:
    """Say in the middle of an empty figure why it is empty."""
    drawing.text(0.5, 0.5, text, ha="center", va="center", color=MUTED.light)


def plain_log(axis: "Axes") -> None:
    """Make the horizontal axis logarithmic with plain numbers, at 1, 2 and 5 of each decade."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axis.set_xscale("log")
    axis.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.xaxis.set_minor_locator(NullLocator())
