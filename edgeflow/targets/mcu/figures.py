"""Figures of firmware."""

from edgeflow.figures.figure import Figure
from edgeflow.targets.mcu.board import Board

FIGURES = (
    Figure(
        name="flash_kb",
        title="flash",
        meaning="flash that the linked firmware takes, in kB of 1,024 bytes",
        unit="KiB",
        kind="compiled",
        bound="max",
        group="Firmware, KiB",
        column="flash",
    ),
    Figure(
        name="ram_kb",
        title="RAM",
        meaning="RAM that the linked firmware takes without its stack, in kB of 1,024 bytes",
        unit="KiB",
        kind="compiled",
        bound="max",
        group="Firmware, KiB",
        column="RAM",
    ),
    Figure(
        name="stack_bytes",
        title="stack",
        meaning="stack that was written to, by its paint, in bytes",
        unit="B",
        kind="emulated",
        bound="max",
        group="Stack",
        counts=True,
    ),
    Figure(
        name="instructions",
        title="instructions",
        meaning="number of instructions of one inference",
        kind="emulated",
        bound="max",
        counts=True,
    ),
    Figure(
        name="cycles",
        title="cycles",
        meaning="number of cycles of one inference, as the emulator of the chip counts them",
        kind="emulated",
        bound="max",
        counts=True,
    ),
    Figure(
        name="cycles_estimate",
        title="cycles by table",
        meaning="number of cycles of one inference, by the timing table of the core's manual "
        "and the wait states of the flash",
        kind="estimated",
        bound="max",
        counts=True,
    ),
    Figure(
        name="latency_us",
        title="latency by cycles",
        meaning="time of one inference, by its cycles and the board's clock",
        unit="us",
        kind="estimated",
        bound="max",
    ),
)
"""What a compilation and the engine tell, by name; which of them there are depends on the board."""


OF_EACH_BOARD = frozenset({"flash_kb", "ram_kb", "stack_bytes"})
"""Names of the figures that need no emulator."""


def figures_of(board: Board) -> frozenset[str]:
    """Return the names of the figures that firmware has on the emulator of a board."""
    if board.emulator is None:
        return OF_EACH_BOARD
    model = board.family.cycles
    cycles = {"latency_us", "cycles" if model == "counted" else "cycles_estimate"}
    return frozenset({*OF_EACH_BOARD, "instructions", *(cycles if model else ())})
