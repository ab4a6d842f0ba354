"""Figures of hardware description."""

from edgeflow.figures.figure import NOT_NEGATIVE, Figure

_YOSYS, _VENDOR = "yosys maps it", "the vendor's tool estimates for `flow: hls`"


def _of_fabric(name: str, title: str, meaning: str, by: str = f"{_YOSYS}, or {_VENDOR}") -> Figure:
    return Figure(
        name=name,
        title=title,
        meaning=f"number of {meaning} that the network takes, as {by}",
        kind="estimated",
        bound="max",
        limit=NOT_NEGATIVE,
        group="FPGA",
        column=title,
        counts=True,
    )


def _of_schedule(name: str, title: str, meaning: str) -> Figure:
    return Figure(
        name=name,
        title=title,
        meaning=f"{meaning}, as the vendor's tool schedules it: its estimate",
        kind="estimated",
        bound="max",
        counts=True,
    )


SYNTHESIS = (
    _of_fabric("lut", "LUTs", "look-up tables"),
    _of_fabric("ff", "FFs", "flip-flops"),
    _of_fabric("dsp", "DSPs", "DSP slices"),
    _of_fabric("bram", "BRAMs", "memory blocks of 18 Kibit", by=_VENDOR),
    _of_schedule(
        "latency_estimate_cycles", "latency in cycles", "longest number of cycles of one inference"
    ),
    _of_schedule(
        "interval_estimate_cycles",
        "interval in cycles",
        "number of cycles before the next sample may enter",
    ),
)
"""What synthesis of a project tells."""
FIGURES = (
    *SYNTHESIS,
    _of_fabric("carry", "carries", "carry chains of four bits", by=_YOSYS),
    Figure(
        name="cycles",
        title="cycles",
        meaning="number of cycles of one inference, as the emulator of the chip counts them",
        kind="emulated",
        bound="max",
        counts=True,
    ),
)
"""What a compilation and the engine tell, by name."""
