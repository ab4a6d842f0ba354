"""Where tensors lie in the one arena: those that do not live at the same time may overlap.

A layer may also write over what it reads for the last time, where its kernel has read each byte
before it is overwritten: `Layer.slack` says how far ahead the output must start for that.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, combinations, product
from typing import Literal

from edgeflow.targets.mcu.layers.base import Layer
from edgeflow.targets.mcu.placement import pack

Key = tuple[Literal["tensor", "scratch"], int]
"""A tensor by its place in the graph, or the working memory of a layer by the layer's number."""


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


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Places in the arena.

    Attributes:
        blocks: what lies there.
        starts: in bytes from the arena's start, a multiple of 4.
        arena_bytes: of all.
        bound_bytes: no plan takes less.
    """

    blocks: Mapping[Key, Block]
    starts: Mapping[Key, int]
    arena_bytes: int
    bound_bytes: int

    @cached_property
    def tensors(self) -> Mapping[int, int]:
        """Start of each tensor, by place in the graph."""
        return {place: start for (kind, place), start in self.starts.items() if kind == "tensor"}

    @cached_property
    def scratch(self) -> Mapping[int, int]:
        """Start of working memory, by number of the layer."""
        return {number: at for (kind, number), at in self.starts.items() if kind == "scratch"}

    def live_bytes(self, number: int) -> int:
        """Return the bytes of the arena that a layer reads, writes, or leaves for later ones."""
        alive = (key for key, one in self.blocks.items() if one.first <= number <= one.last)
        spans = sorted((self.starts[key], self.blocks[key].size_bytes) for key in alive)
        found = end = 0
        for start, size in spans:  # an output may lie over an input
            found += max(0, start + size - max(start, end))
            end = max(end, start + size)
        return found


def plan(layers: Sequence[Layer], sizes_bytes: Mapping[int, int]) -> Plan:
    """Place tensors and scratch memory.

    Args:
        layers: in the order in which they run.
        sizes_bytes: of the tensors that are to lie in the arena, by place in the graph.
    """
    apart = _plan(layers, sizes_bytes)
    roots = _in_place(layers, apart.blocks)
    if not roots:
        return apart
    joined = _plan(
        [
            replace(
                layer,
                reads=tuple(roots.get(place, place) for place in layer.reads),
                writes=tuple(roots.get(place, place) for place in layer.writes),
            )
            for layer in layers
        ],
        {place: size for place, size in sizes_bytes.items() if place not in roots},
    )
    starts = dict(joined.starts)
    starts |= {("tensor", place): starts["tensor", root] for place, root in roots.items()}
    best = joined if joined.arena_bytes < apart.arena_bytes else apart
    return Plan(
        blocks=apart.blocks,
        starts=starts if best is joined else apart.starts,
        arena_bytes=best.arena_bytes,
        bound_bytes=min(joined.bound_bytes, apart.bound_bytes),
    )


def _in_place(layers: Sequence[Layer], blocks: Mapping[Key, Block]) -> dict[int, int]:
    """Return the tensors that may lie exactly where another one lies, and which."""
    roots: dict[int, int] = {}
    for number, layer in enumerate(layers):
        if not layer.in_place:
            continue
        (read,), (write,) = layer.reads, layer.writes
        source, target = blocks.get(("tensor", read)), blocks.get(("tensor", write))
        if source is None or target is None:
            continue
        handed_over = source.last == target.first == number
        if handed_over and source.size_bytes == target.size_bytes:
            roots[write] = roots.get(read, read)
    return roots


def _plan(layers: Sequence[Layer], sizes_bytes: Mapping[int, int]) -> Plan:
    """Place tensors and scratch memory; none lies exactly in the place of another one."""
    blocks = _blocks(layers, sizes_bytes)
    over = _overwritten(layers, blocks)
    alive = list(_alive(len(layers), blocks))
    bound = max((_bound(*keys, blocks, over) for keys in alive), default=0)
    numbers = {key: number for number, key in enumerate(blocks)}
    apart: list[dict[int, tuple[int, int]]] = [{} for _ in blocks]
    for older, newer in alive:
        for one, other in chain(product(newer, older), combinations(newer, 2)):
            before = over.get((one, other), blocks[one].size_bytes)
            behind = blocks[other].size_bytes
            apart[numbers[one]][numbers[other]] = before, behind
            apart[numbers[other]][numbers[one]] = behind, before
    sizes = [block.size_bytes for block in blocks.values()]
    starts = pack(sizes, apart, _orders(list(blocks.values())), bound)
    return Plan(
        blocks=blocks,
        starts=dict(zip(blocks, starts, strict=True)),
        arena_bytes=max((s + n for s, n in zip(starts, sizes, strict=True)), default=0),
        bound_bytes=bound,
    )


def _blocks(layers: Sequence[Layer], sizes_bytes: Mapping[int, int]) -> dict[Key, Block]:
    uses: dict[Key, list[int]] = {("tensor", place): [] for place in sizes_bytes}
    for number, layer in enumerate(layers):
        for place in {*layer.reads, *layer.writes} & set(sizes_bytes):
            uses["tensor", place].append(number)
        if layer.scratch_bytes:
            uses["scratch", number] = [number]
    return {
        key: Block(
            size_bytes=sizes_bytes[key[1]] if key[0] == "tensor" else layers[key[1]].scratch_bytes,
            first=min(numbers),
            last=max(numbers),
        )
        for key, numbers in uses.items()
        if numbers
    }


def _overwritten(
    layers: Sequence[Layer], blocks: Mapping[Key, Block]
) -> dict[tuple[Key, Key], int]:
    """Return by how many bytes an output must start before an input to be written over it."""
    found: dict[tuple[Key, Key], int] = {}
    for number, layer in enumerate(layers):
        if len(layer.writes) != 1:
            continue
        target: Key = ("tensor", layer.writes[0])
        if target not in blocks or blocks[target].first != number:
            continue
        for read in set(layer.reads) - set(layer.writes):
            source: Key = ("tensor", read)
            slack = [s for r, s in zip(layer.reads, layer.slack, strict=True) if r == read]
            far = [s for s in slack if s is not None]
            if source in blocks and blocks[source].last == number and len(far) == len(slack):
                found[target, source] = min(max(far), blocks[target].size_bytes)
    return found


def _alive(
    count: int, blocks: Mapping[Key, Block]
) -> Iterator[tuple[Sequence[Key], Sequence[Key]]]:
    """Yield what each layer needs in the arena: what was there before it, and what is new."""
    starting: dict[int, list[Key]] = {}
    for key, block in blocks.items():
        starting.setdefault(block.first, []).append(key)
    alive: list[Key] = []
    for number in range(count):
        alive = [key for key in alive if blocks[key].last >= number]
        yield alive, starting.get(number, [])
        alive = alive + starting.get(number, [])


def _bound(
    older: Sequence[Key],
    newer: Sequence[Key],
    blocks: Mapping[Key, Block],
    over: Mapping[tuple[Key, Key], int],
) -> int:
    """Return the bytes that these blocks take together at least."""
    total = sum(blocks[key].size_bytes for key in (*older, *newer))
    for target in newer:
        size = blocks[target].size_bytes
        shared = [
            min(blocks[source].size_bytes, size - over[target, source])
            for source in older
            if (target, source) in over
        ]
        total -= min(size, sum(shared))
    return total


def _orders(blocks: Sequence[Block]) -> list[list[int]]:
    """Return orders that are often good: an output is best placed before what it overwrites."""

    def order(key: tuple[str, ...]) -> list[int]:
        def rank(number: int) -> tuple[int, ...]:
            block = blocks[number]
            ranks = {"size": -block.size_bytes, "late": -block.first, "early": block.first}
            return (*(ranks[name] for name in key), number)

        return sorted(range(len(blocks)), key=rank)

    return [order(("size", "late")), order(("size", "early")), order(("late",)), order(("early",))]
