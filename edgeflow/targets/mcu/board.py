"""Boards as data."""

import tomllib
from functools import cache
from importlib import resources
from typing import Annotated, Literal, Self

from pydantic import Field, TypeAdapter, model_validator

from edgeflow.config.base import Section
from edgeflow.targets.mcu.core import CORES, Family

DATA = ("boards.toml",)  # counts as code: see edgeflow.artifact.fingerprint

Size = Annotated[int, Field(ge=256, le=1 << 30)]


class Memory(Section):
    """A memory of a board."""

    origin: Annotated[int, Field(ge=0, lt=1 << 32)]
    """Address of its first byte, as the linker names it; an AVR's RAM lies at 0x800000 there."""
    bytes: Size
    """What a program may use of it."""

    @model_validator(mode="after")
    def _within_addresses(self) -> Self:
        if self.origin + self.bytes > 1 << 32:
            raise ValueError("it ends beyond the addresses of 32 bits")
        return self


class Emulator(Section):
    """What runs the firmware where there is no board."""

    program: Literal["qemu-system-arm", "qemu-system-riscv32", "simavr"]
    """The emulator's program."""
    machine: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,40}$")]
    """QEMU's name of the machine, or simavr's of the chip."""


_EMULATORS = {"avr": "simavr", "rv32imac": "qemu-system-riscv32"}


class Board(Section):
    """A microcontroller board."""

    title: Annotated[str, Field(min_length=1, max_length=100)]
    """What it is, for people."""
    core: Literal[
        "cortex-m0", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33", "rv32imac", "avr",
        "xtensa-lx6",
    ]  # fmt: skip
    """Its processor's core, which decides how code is compiled."""
    flash: Memory
    """Memory of code and constants."""
    ram: Memory
    """Memory of variables and stack."""
    clock_hz: Annotated[int, Field(ge=1_000, le=10_000_000_000)]
    """Clock of the core."""
    wait_states: Annotated[int, Field(ge=0, le=15)] = 0
    """Cycles that the core waits for each read of its flash at that clock."""
    emulator: Emulator | None = None
    """None for a board that code is exported for, or that is there in silicon alone."""
    chip: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,40}$")] | None = None
    """Name of the chip: avr-gcc's, or pyOCD's, where a debug probe is to drive the board."""
    programmer: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,40}$")] | None = None
    """avrdude's name of what writes the flash of an AVR over its serial port."""

    @model_validator(mode="after")
    def _known_chip(self) -> Self:
        if self.core == "avr" and self.chip is None:
            raise ValueError("an AVR board needs `chip`, the name that avr-gcc has for it")
        return self

    @model_validator(mode="after")
    def _memories_apart(self) -> Self:
        first, second = sorted((self.flash, self.ram), key=lambda memory: memory.origin)
        if first.origin + first.bytes > second.origin:
            raise ValueError("`flash` and `ram` overlap")
        return self

    @model_validator(mode="after")
    def _emulator_of_its_core(self) -> Self:
        program = _EMULATORS.get(self.core, "qemu-system-arm")
        if self.emulator is not None and self.emulator.program != program:
            raise ValueError(f"{self.emulator.program} has no {self.core}; {program} has")
        return self

    @property
    def family(self) -> Family:
        """What compiles for its core, and with which flags."""
        return CORES[self.core]

    @property
    def flags(self) -> list[str]:
        """Options of the compiler that choose the core."""
        chip = [f"-mmcu={self.chip}"] if self.core == "avr" else []
        return [*self.family.flags, *chip]


@cache
def boards() -> dict[str, Board]:
    """Return edgeflow's own boards by name."""
    text = resources.files(__package__).joinpath("boards.toml").read_text()
    return TypeAdapter(dict[str, Board]).validate_python(tomllib.loads(text))
