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
        simd: whether kernels take two products at once.
    """

    mode: Mode
    optimize: Level
    simd: bool = False

    def __str__(self) -> str:
        return f"{self.mode} -{self.optimize}{' simd' if self.simd else ''}"


# Unrolled code is faster and smaller at -Os: at other levels GCC keeps constants in memory. For
# loops, -O2 is; -O3 gains 4 % at most there, for a third more flash.
FASTEST_FIRST: tuple[tuple[Mode, Level], ...] = (
    ("unrolled", "Os"),
    ("specialized", "O2"),
    ("specialized", "Os"),
    ("compact", "O2"),
    ("compact", "Os"),
)


def variants(options: McuOptions) -> list[Variant]:
    """Return the forms that options allow, the fastest first.

    SIMD kernels come first where the core has them; without them a network is slower, and takes
    less memory.
    """
    dsp = options.hardware.family.dsp
    found = [
        Variant(
            mode=mode,
            optimize=level if options.optimize == "auto" else options.optimize,
            simd=simd,
        )
        for simd in ((True, False) if dsp else (False,))
        for mode, level in FASTEST_FIRST
        if options.mode == mode or (options.mode == "auto" and _pays(mode, simd, dsp))
    ]
    return list(dict.fromkeys(found))


def _pays(mode: Mode, simd: bool, dsp: bool) -> bool:
    """Return whether a mode is of use beside the others."""
    # Two products at once outrun weights in the code, and shared kernels of these save no flash.
    return not (dsp and mode == "unrolled") and not (simd and mode == "compact")


def generated(model: Path, options: McuOptions) -> Iterator[tuple[Variant, Sources]]:
    """Yield the code of a network in each form, the fastest first.

    What would be unrolled in part alone is not offered unless it is asked for.

    Raises:
        CompileError: no kernel takes an operator, or the mode that is asked for does not fit it.
    """
    known: dict[Settings, Sources] = {}  # the compiler's level changes nothing of the code
    for variant in variants(options):
        settings = settings_for(options, variant)
        try:
            sources = known[settings] = known.get(settings) or generate(model, settings)
        except CompileError:
            if variant.mode == "unrolled" and options.mode == "auto":
                continue  # if it is not about that, the next one fails too
            raise
        if options.mode == "auto" and variant.mode == "unrolled" and not _is_straight(sources):
            continue
        yield variant, sources


def settings_for(options: McuOptions, variant: Variant) -> Settings:
    """Return the generator's settings for a form of the code."""
    return Settings(
        profile=options.profile,
        mode=variant.mode,
        simd=variant.simd,
        kernels=options.kernels,
    )


def _is_straight(sources: Sources) -> bool:
    return all(layer.unrolled is not None for layer in sources.layers if layer.macs)
