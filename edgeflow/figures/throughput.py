"""The figure of engines that run several inferences at a time."""

from edgeflow.figures.figure import Figure

THROUGHPUT = Figure(
    name="throughput_per_s",
    title="throughput",
    meaning="number of inferences in a second, as many at a time as the engine has streams or "
    "accelerators for",
    unit="1/s",
    bound="min",
    needs_clock=True,
)
