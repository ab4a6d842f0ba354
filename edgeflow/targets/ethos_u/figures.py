"""Figures that Vela tells."""

from edgeflow.figures.accelerator import ACCELERATOR_SHARE, NPU_CYCLES_ESTIMATE
from edgeflow.figures.figure import Figure


def _memory(name: str, title: str, meaning: str) -> Figure:
    return Figure(
        name=name,
        title=title,
        meaning=meaning,
        unit="KiB",
        scale=1 / 1024,
        kind="estimated",
        bound="max",
        group="Memory by Vela, KiB",
        column=title,
    )


FIGURES = (
    ACCELERATOR_SHARE,
    _memory("sram_bytes", "SRAM", "SRAM that the NPU's part of the model takes, in bytes"),
    _memory(
        "external_memory_bytes",
        "flash or DRAM",
        "flash and DRAM that the NPU's part of the model takes, in bytes",
    ),
    NPU_CYCLES_ESTIMATE,
    Figure(
        name="latency_estimate_ms",
        title="latency by cycles",
        meaning="time that the NPU takes for one inference, by Vela's model; what the CPU runs is "
        "not in it",
        unit="ms",
        kind="estimated",
        bound="max",
    ),
)
"""The share is a fact of the compiled file; all else is Vela's model of the hardware."""
