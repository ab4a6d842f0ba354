"""Forms of a network's code, and which of them to try for a board: the fastest first."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgeflow.errors import CompileError
from edgeflow.targets.mcu.generate import Sources, generate
from edgeflow.targets.mcu.options import Level, McuOptions
from edgeflow.targets.mcu.settings import Mode, Settings


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """A form of the code.

    Attributes:
        mode: of the generator.
        optimize: the compiler's level.
    """

    mode: Mode
    optimize: Level

    def __str__(self) -> str:
        return f"{self.mode} -{self.optimize}"


# Unrolled code is faster and smaller at -Os: at other levels GCC keeps constants in memory. For
# loops, -O2 is; -O3 gains 4 % at most there, for a third more flash.
FASTEST_FIRST = (
    Variant(mode="unrolled", optimize="Os"),
    Variant(mode="specialized", optimize="O2"),
    Variant(mode="specialized", optimize="Os"),
    Variant(mode="compact", optimize="O2"),
    Variant(mode="compact", optimize="Os"),
)


def variants(options: McuOptions) -> list[Variant]:
    """Return the forms that options allow, the fastest first."""
    found = [one for one in FASTEST_FIRST if options.mode in ("auto", one.mode)]
    if options.optimize == "auto":
        return found
    return list(dict.fromkeys(Variant(mode=one.mode, optimize=options.optimize) for one in found))


def generated(model: Path, options: McuOptions) -> Iterator[tuple[Variant, Sources]]:
    """Yield the code of a network in each form, the fastest first.

    What would be unrolled in part alone is not offered unless it is asked for.

    Raises:
        CompileError: no kernel takes an operator, or the mode that is asked for does not fit it.
    """
    for variant in variants(options):
        try:
            sources = generate(model, settings_for(options, variant.mode))
        except CompileError:
            if variant.mode == "unrolled" and options.mode == "auto":
                continue  # if it is not about that, the next one fails too
            raise
        if options.mode == "auto" and variant.mode == "unrolled" and not _is_straight(sources):
            continue
        yield variant, sources


def settings_for(options: McuOptions, mode: Mode) -> Settings:
    """Return the generator's settings for a board."""
    return Settings(
        profile=options.profile,
        mode=mode,
        simd=options.hardware.family.dsp,
        kernels=options.kernels,
    )


def _is_straight(sources: Sources) -> bool:
    return all(layer.unrolled is not None for layer in sources.layers if layer.macs)
