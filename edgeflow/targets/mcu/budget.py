"""Whether firmware keeps within a board's memory, and what would help where it does not."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgeflow.errors import CompileError
from edgeflow.targets.mcu.generate import LayerFigures, Sources
from edgeflow.targets.mcu.options import KIB, McuOptions
from edgeflow.targets.mcu.variants import Variant

FIRMWARE_BYTES = 1_100
"""Of an estimate, what firmware takes of flash beside the network. These were chosen after the
firmware of the networks in edgeflow/train/architectures/ on Cortex-M0, M4 and RISC-V, whose code
they miss by a third at most, with that of many small layers as an exception."""
CODE_BYTES = {"specialized": 350, "compact": 650, "unrolled": 350}
"""By mode, what a kernel takes, of which there is one for each layer but in `compact`."""
LAYER_BYTES = 30
UNROLLED_BYTES = 10
"""What a weight takes as code."""
STACK_BYTES = 220
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
        exact: whether it is that of a linked program.
    """

    variant: Variant
    flash_bytes: int
    ram_bytes: int
    stack_bytes: int
    sources: Sources
    exact: bool = True

    @property
    def all_ram_bytes(self) -> int:
        """Variables and stack."""
        return self.ram_bytes + self.stack_bytes

    def fits(self, options: McuOptions) -> bool:
        """Return whether it keeps within the budgets."""
        return self.flash_bytes <= options.flash_bytes and self.all_ram_bytes <= options.ram_bytes


def estimate(variant: Variant, sources: Sources) -> Needs:
    """Return about what firmware takes, without a compiler."""
    mode = variant.mode
    layers = len(sources.layers)
    kernels = len({layer.kernel for layer in sources.layers}) if mode == "compact" else layers
    code = FIRMWARE_BYTES + kernels * CODE_BYTES[mode] + layers * LAYER_BYTES
    weights = sources.macs * UNROLLED_BYTES if mode == "unrolled" else sources.weights_bytes
    return Needs(
        variant=variant,
        flash_bytes=code + weights,
        ram_bytes=sources.ram_bytes,
        stack_bytes=STACK_BYTES,
        sources=sources,
        exact=False,
    )


def is_hopeless(sources: Sources, options: McuOptions) -> bool:
    """Return whether constants or working memory alone are too large."""
    return sources.weights_bytes > options.flash_bytes or sources.ram_bytes > options.ram_bytes


def misfit(title: str, options: McuOptions, tried: Sequence[Needs]) -> CompileError:
    """Return the error of what fits in no form: what each part takes, and what would help.

    Args:
        title: what is compiled, for messages.
        options: with the budgets.
        tried: in each form, in the order of preference.
    """
    return CompileError(
        f"{title} does not fit {options.board}: {'; '.join(lacks(options, tried))}",
        hint="; or ".join(advice(options, tried)),
    )


def lacks(options: McuOptions, tried: Sequence[Needs]) -> Iterator[str]:
    """Yield what is over its budget, with the layers that take most."""
    flash = min(tried, key=lambda needs: needs.flash_bytes)
    ram = min(tried, key=lambda needs: needs.all_ram_bytes)
    if flash.flash_bytes > options.flash_bytes:
        each = ", ".join(f"{kb(one.flash_bytes)} {one.variant}" for one in tried)
        weights = kb(flash.sources.weights_bytes)
        most = _largest(flash.sources.per_layer, "weights_bytes")
        needed = f"{_about(flash)}{kb(flash.flash_bytes)} of flash"
        yield (
            f"it needs {needed} and may take {kb(options.flash_bytes)} ({each}; {weights} are "
            f"weights, most of them in {most})"
        )
    if ram.all_ram_bytes > options.ram_bytes:
        sources = ram.sources
        stack, edges, arena = map(kb, (ram.stack_bytes, sources.io_bytes, sources.plan.arena_bytes))
        needed = f"{_about(ram)}{kb(ram.all_ram_bytes)} of RAM"
        yield (
            f"it needs {needed} and may take {kb(options.ram_bytes)} ({stack} are stack, {edges} "
            f"input and output, {arena} working memory, most of it for "
            f"{_largest(sources.per_layer, 'live_bytes')})"
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


def _about(needs: Needs) -> str:
    return "" if needs.exact else "about "


def _largest(layers: Sequence[LayerFigures], figure: str) -> str:
    order = sorted(layers, key=lambda layer: -int(getattr(layer, figure)))[:_NAMED]
    # Of an operator into which others were fused, the tensor has all their names.
    named = [
        f"{one.operator} {one.name.partition(';')[0]} {kb(getattr(one, figure))}" for one in order
    ]
    return ", ".join(named) or "no layer"


def kb(size_bytes: int) -> str:
    """Return a size as people read it."""
    return f"{size_bytes / KIB:,.1f} kB"
