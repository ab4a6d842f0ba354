"""Whether firmware keeps within a board's memory, and what would help where it does not."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgeflow.errors import CompileError
from edgeflow.targets.mcu.generate import LayerFigures, Sources
from edgeflow.targets.mcu.options import KIB, McuOptions
from edgeflow.targets.mcu.variants import Variant

_NAMED = 3
_SHARES = 20
"""Steps in which a share of channels is advised."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Needs:
    """What firmware takes of a board's memory.

    Attributes:
        variant: of the code.
        flash_bytes: code and constants.
        ram_bytes: variables, with the arena and the buffers of inputs and outputs.
        stack_bytes: bound of the stack.
        sources: the generated code.
    """

    variant: Variant
    flash_bytes: int
    ram_bytes: int
    stack_bytes: int
    sources: Sources

    @property
    def all_ram_bytes(self) -> int:
        """Variables and stack."""
        return self.ram_bytes + self.stack_bytes

    def fits(self, options: McuOptions) -> bool:
        """Return whether it keeps within the budgets."""
        return self.flash_bytes <= options.flash_bytes and self.all_ram_bytes <= options.ram_bytes


def require_fit(title: str, options: McuOptions, tried: Sequence[Needs]) -> None:
    """Refuse what does not fit in any form that was tried.

    Args:
        title: what is compiled, for messages.
        options: with the budgets.
        tried: in each form, in the order of preference.

    Raises:
        CompileError: none of them fits; it says what each part takes, and what would help.
    """
    if not any(needs.fits(options) for needs in tried):
        raise CompileError(
            f"{title} does not fit {options.board}: {'; '.join(lacks(options, tried))}",
            hint="; or ".join(advice(options, tried)),
        )


def lacks(options: McuOptions, tried: Sequence[Needs]) -> Iterator[str]:
    """Yield what is over its budget, with the layers that take most."""
    flash = min(tried, key=lambda needs: needs.flash_bytes)
    ram = min(tried, key=lambda needs: needs.all_ram_bytes)
    if flash.flash_bytes > options.flash_bytes:
        each = ", ".join(f"{kb(one.flash_bytes)} {one.variant}" for one in tried)
        yield (
            f"it needs {kb(flash.flash_bytes)} of flash and may take {kb(options.flash_bytes)} "
            f"({each}; {kb(flash.sources.weights_bytes)} are weights, most of them in "
            f"{_largest(flash.sources.per_layer, 'weights_bytes')})"
        )
    if ram.all_ram_bytes > options.ram_bytes:
        yield (
            f"it needs {kb(ram.all_ram_bytes)} of RAM and may take {kb(options.ram_bytes)} "
            f"({kb(ram.stack_bytes)} are stack, {kb(ram.sources.io_bytes)} input and output, "
            f"{kb(ram.sources.plan.arena_bytes)} working memory, most of it for "
            f"{_largest(ram.sources.per_layer, 'live_bytes')})"
        )


def advice(options: McuOptions, tried: Sequence[Needs]) -> Iterator[str]:
    """Yield what would make it fit."""
    smallest = min(tried, key=lambda needs: needs.flash_bytes)
    if smallest.flash_bytes > options.flash_bytes:
        if options.mode not in ("auto", "compact"):
            yield "set `mode: compact` or `mode: auto`"
        if options.optimize not in ("auto", "Os"):
            yield "set `optimize: Os` or `optimize: auto`"
    share = removable_share(smallest, options)
    if share is None:
        yield "choose a smaller architecture: no width of this one is likely to fit"
    else:
        yield (
            f"remove about {share:.0%} of the channels, by a smaller `width` or by "
            f"`prune_channels: {{share: {share:g}}}` in the recipe"
        )
    yield "choose a larger board (`edgeflow help targets/mcu.md` lists them)"


def removable_share(needs: Needs, options: McuOptions) -> float | None:
    """Return about which share of the channels would have to go; None where that is all.

    Weights go with the square of the number of channels, activations with the number.
    """
    fixed_flash = needs.flash_bytes - needs.sources.weights_bytes
    fixed_ram = needs.all_ram_bytes - needs.sources.plan.arena_bytes
    weights = (options.flash_bytes - fixed_flash) / max(needs.sources.weights_bytes, 1)
    arena = (options.ram_bytes - fixed_ram) / max(needs.sources.plan.arena_bytes, 1)
    if min(weights, arena) <= 0:
        return None
    share = math.ceil((1 - min(math.sqrt(weights), arena)) * _SHARES) / _SHARES
    return share if 0 < share < 1 else None


def _largest(layers: Sequence[LayerFigures], figure: str) -> str:
    order = sorted(layers, key=lambda layer: -int(getattr(layer, figure)))[:_NAMED]
    named = [f"{one.operator} {one.name} {kb(getattr(one, figure))}" for one in order]
    return ", ".join(named) or "no layer"


def kb(size_bytes: int) -> str:
    """Return a size as people read it."""
    return f"{size_bytes / KIB:,.1f} kB"
