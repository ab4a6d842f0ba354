"""Where tensors lie in the one arena: those that do not live at the same time may overlap."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgeflow.targets.mcu.layers.base import Layer

ALIGNMENT = 4
"""Bytes; a word, which SIMD kernels load at once."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """Memory that is needed for some time.

    Attributes:
        size_bytes: of it.
        first: number of the layer from which on it is needed.
        last: number of the last layer that needs it.
    """

    size_bytes: int
    first: int
    last: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """Places in the arena, in bytes from its start.

    Attributes:
        tensors: by place in the graph.
        scratch: by number of the layer.
        arena_bytes: of all.
    """

    tensors: Mapping[int, int]
    scratch: Mapping[int, int]
    arena_bytes: int


def plan(layers: Sequence[Layer], sizes_bytes: Mapping[int, int]) -> Plan:
    """Place tensors and scratch memory.

    Args:
        layers: in the order in which they run.
        sizes_bytes: of the tensors that are to lie in the arena, by place in the graph.
    """
    blocks = {("tensor", place): _life(layers, place, size) for place, size in sizes_bytes.items()}
    for number, layer in enumerate(layers):
        if layer.scratch_bytes:
            blocks["scratch", number] = Block(
                size_bytes=layer.scratch_bytes, first=number, last=number
            )
    starts = _place(blocks)
    ends = [starts[key] + block.size_bytes for key, block in blocks.items()]
    return Plan(
        tensors={place: start for (kind, place), start in starts.items() if kind == "tensor"},
        scratch={place: start for (kind, place), start in starts.items() if kind == "scratch"},
        arena_bytes=max(ends, default=0),
    )


def _life(layers: Sequence[Layer], place: int, size_bytes: int) -> Block:
    uses = [n for n, layer in enumerate(layers) if place in (*layer.reads, *layer.writes)]
    return Block(size_bytes=size_bytes, first=min(uses), last=max(uses))


def _place(blocks: Mapping[tuple[str, int], Block]) -> dict[tuple[str, int], int]:
    """Return the start of each block: the largest first, each at the lowest place that is free."""
    starts: dict[tuple[str, int], int] = {}
    for key in sorted(blocks, key=lambda key: (-blocks[key].size_bytes, key)):
        block, start = blocks[key], 0
        for other in sorted((o for o in starts if _meet(blocks[o], block)), key=starts.__getitem__):
            if start + block.size_bytes <= starts[other]:
                break
            start = max(start, _aligned(starts[other] + blocks[other].size_bytes))
        starts[key] = start
    return starts


def _meet(one: Block, other: Block) -> bool:
    return one.first <= other.last and other.first <= one.last


def _aligned(size_bytes: int) -> int:
    return -(-size_bytes // ALIGNMENT) * ALIGNMENT
