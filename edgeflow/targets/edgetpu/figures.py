"""What the compiler for the Edge TPU tells of a model."""

from typing import TYPE_CHECKING

from edgeflow.figures.accelerator import ACCELERATOR_SHARE, accelerator_share
from edgeflow.figures.figure import NOT_NEGATIVE, Bound, Figure
from edgeflow.figures.throughput import THROUGHPUT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edgeflow.targets.edgetpu.output import Block


def _memory(name: str, title: str, meaning: str, bound: Bound) -> Figure:
    return Figure(
        name=name,
        title=title,
        meaning=meaning,
        unit="KiB",
        scale=1 / 1024,
        kind="compiled",
        bound=bound,
        limit=NOT_NEGATIVE,
    )


FIGURES = (
    ACCELERATOR_SHARE,
    _memory(
        "onchip_used_bytes",
        "on-chip memory used",
        "on-chip memory that holds weights, of all Edge TPUs together",
        "max",
    ),
    _memory(
        "onchip_free_bytes",
        "on-chip memory left",
        "on-chip memory that is left for weights, on the fullest Edge TPU",
        "min",
    ),
    _memory(
        "offchip_streamed_bytes",
        "weights streamed",
        "size of the weights that do not fit on chip and are sent anew for each inference",
        "max",
    ),
    Figure(
        name="accelerator_subgraphs",
        title="subgraphs on the accelerator",
        meaning="number of parts of the graph that run on the accelerator",
        kind="compiled",
        bound="max",
        limit=NOT_NEGATIVE,
        counts=True,
    ),
    THROUGHPUT,
)
OF_ONE = frozenset(figure.name for figure in FIGURES) - {THROUGHPUT.name}
"""Those of a model that is not cut into segments."""


def figures_of(blocks: "Iterable[Block]") -> dict[str, float]:
    """Return the figures of a model, or of its segments together."""
    every = list(blocks)
    mapped = sum(block.mapped for block in every)
    total = mapped + sum(block.unmapped for block in every)
    return {
        "accelerator_share": accelerator_share(mapped, total),
        "onchip_used_bytes": sum(block.used_bytes for block in every),
        "onchip_free_bytes": min(block.free_bytes for block in every),
        "offchip_streamed_bytes": sum(block.streamed_bytes for block in every),
        "accelerator_subgraphs": sum(block.subgraphs for block in every),
    }
