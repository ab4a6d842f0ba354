"""Figures of targets whose compiler maps some operators to an accelerator and leaves the rest."""

from edgeflow.figures.figure import SHARE, Figure

ACCELERATOR_SHARE = Figure(
    name="accelerator_share",
    title="operators on the accelerator",
    meaning="share of the operators that the compiler mapped to the accelerator, 0..1; "
    "the CPU runs the others",
    unit="%",
    scale=100,
    kind="compiled",
    bound="min",
    limit=SHARE,
)
NPU_CYCLES_ESTIMATE = Figure(
    name="npu_cycles_estimate",
    title="NPU cycles",
    meaning="number of cycles of the NPU for one inference, waits for memory included, by its "
    "compiler's model; what the CPU runs is not in it",
    kind="estimated",
    bound="max",
    counts=True,
)


def accelerator_share(mapped: int, total: int) -> float:
    """Return the share of `total` operators that were mapped; 0 of a model without operators."""
    return mapped / total if total else 0.0
