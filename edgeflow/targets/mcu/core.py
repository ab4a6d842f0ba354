"""Cores: what compiles for them, and which parts of the firmware they need."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Family:
    """What follows from the core of a board.

    Attributes:
        compiler: prefix of the names of GCC and binutils; empty where no compiler is used.
        install: command that installs them on Debian.
        flags: options of the compiler that choose the core.
        parts: files of the firmware beside those that all cores need.
        dsp: whether the core has Arm's DSP extension, two products at once.
        cycles: the model that estimates cycles, or ``counted`` where the emulator is exact;
            empty where nothing says how long an instruction takes.
    """

    compiler: str = ""
    install: str = ""
    flags: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    dsp: bool = False
    cycles: str = ""


def _arm(name: str, dsp: bool = False, cycles: str = "") -> Family:
    return Family(
        compiler="arm-none-eabi-",
        # Debian only recommends the C library with the compiler; CMSIS-NN includes its headers.
        install="apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi",
        # Without the floating-point unit, which the code does not need.
        flags=(f"-mcpu={name}", "-mthumb", "-mfloat-abi=soft"),
        parts=("startup_arm.c", *_BARE),
        dsp=dsp,
        cycles=cycles,
    )


_BARE = ("semihosting.c", "string.h", "string.c", "link.ld")

CORES = {
    "cortex-m0": _arm("cortex-m0", cycles="cortex-m0"),
    "cortex-m3": _arm("cortex-m3"),
    "cortex-m4": _arm("cortex-m4", dsp=True),
    "cortex-m7": _arm("cortex-m7", dsp=True),
    "cortex-m33": _arm("cortex-m33+nofp", dsp=True),
    "rv32imac": Family(
        compiler="riscv64-unknown-elf-",
        install="apt-get install gcc-riscv64-unknown-elf",
        flags=("-march=rv32imac_zicsr", "-mabi=ilp32"),
        parts=("startup_riscv.c", *_BARE),
    ),
    "avr": Family(
        compiler="avr-",
        install="apt-get install gcc-avr avr-libc",
        parts=("uart_avr.c",),
        cycles="counted",
    ),
    "xtensa-lx6": Family(),
}
"""By name, as boards have it."""
