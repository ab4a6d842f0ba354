"""Figures of hardware description."""

from edgeflow.figures.figure import Figure


def _of_fabric(name: str, title: str, meaning: str) -> Figure:
    return Figure(
        name=name,
        title=title,
        meaning=f"number of {meaning} that the network takes, as yosys maps it",
        kind="estimated",
        bound="max",
        group="FPGA",
        column=title,
    )


FIGURES = (
    _of_fabric("lut", "LUTs", "look-up tables"),
    _of_fabric("ff", "FFs", "flip-flops"),
    _of_fabric("carry", "carries", "carry chains of four bits"),
    _of_fabric("dsp", "DSPs", "DSP slices"),
    Figure(
        name="cycles",
        title="cycles",
        meaning="number of cycles of one inference, as the emulator of the chip counts them",
        kind="emulated",
        bound="max",
    ),
)
"""What a compilation and the engine tell, by name."""
