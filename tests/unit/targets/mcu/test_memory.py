"""The arena: nothing is overwritten that is still to be read, and little memory is lost."""

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeflow.targets.mcu import placement
from edgeflow.targets.mcu.graph import Node
from edgeflow.targets.mcu.layers.base import Layer
from edgeflow.targets.mcu.memory import Plan, plan

NODE = Node(index=0, operator="ADD", inputs=(), outputs=(), options={})


def layer(
    reads: Sequence[int],
    write: int | Sequence[int],
    slack: Sequence[int | None],
    scratch: int = 0,
    *,
    in_place: bool = False,
) -> Layer:
    return Layer(
        node=NODE,
        kernel="nn_add",
        values={},
        arrays={},
        reads=tuple(reads),
        writes=(write,) if isinstance(write, int) else tuple(write),
        slack=tuple(slack),
        scratch_bytes=scratch,
        in_place=in_place,
    )


def verify(found: Plan, layers: Sequence[Layer], sizes: Mapping[int, int]) -> None:
    """Run the layers on an arena whose bytes know whose they are.

    A kernel is taken by its word: with a slack of D bytes, it still reads the input's bytes from
    k - D on when it has written k bytes; with none, it reads all of them until its end. It may use
    its working memory at any time.
    """
    arena: list[tuple[int, int] | None] = [None] * found.arena_bytes
    whole = {place: [(place, k) for k in range(size)] for place, size in sizes.items()}

    def at(place: int) -> int:
        assert found.tensors[place] % 4 == 0
        return found.tensors[place]

    def held(place: int, first: int) -> bool:
        start, end, first = at(place), at(place) + sizes[place], max(0, first)
        return arena[start + first : end] == whole[place][first:]

    for number, one in enumerate(layers):
        reads = [(r, s) for r, s in zip(one.reads, one.slack, strict=True) if r in sizes]
        assert all(held(place, 0) for place, _ in reads), f"layer {number} reads what is lost"
        for k in range(one.scratch_bytes):
            arena[found.scratch[number] + k] = None
        for place, k in (mark for write in one.writes for mark in whole.get(write, [])):
            arena[at(place) + k] = (place, k)
            for read, slack in reads:
                first = 0 if slack is None or len(one.writes) > 1 else k + 1 - slack
                replaced = one.in_place and at(read) == at(place)
                assert replaced or held(read, first), f"layer {number} overwrites what it reads"
        if one.scratch_bytes:
            start = found.scratch[number]
            scratch = arena[start : start + one.scratch_bytes]
            assert scratch == [None] * one.scratch_bytes, f"layer {number} needs that memory"


def in_arena(layers: Sequence[Layer], sizes: Mapping[int, int]) -> Plan:
    found = plan(layers, sizes)
    verify(found, layers, sizes)
    assert found.bound_bytes <= found.arena_bytes
    return found


def test_what_is_dead_makes_room() -> None:
    layers = [layer([9], 0, [None]), *(layer([i], i + 1, [None]) for i in range(3))]
    assert in_arena(layers, {0: 100, 1: 40, 2: 80, 3: 20}).arena_bytes == 140


def test_an_elementwise_layer_works_in_place() -> None:
    layers = [layer([9], 0, [None]), layer([9], 1, [None]), layer([0, 1], 2, [0, 0])]
    assert in_arena(layers, {0: 64, 1: 64, 2: 64}).arena_bytes == 128


def test_an_input_that_is_read_later_stays() -> None:
    layers = [layer([9], 0, [None]), layer([0], 1, [0]), layer([0, 1], 2, [0, 0])]
    assert in_arena(layers, {0: 64, 1: 64, 2: 64}).arena_bytes == 128


def test_a_tensor_read_twice_allows_what_both_allow() -> None:
    assert in_arena([layer([9], 0, [None]), layer([0, 0], 1, [0, 8])], {0: 64, 1: 64}).starts == {
        ("tensor", 0): 8,
        ("tensor", 1): 0,
    }
    never = [layer([9], 0, [None]), layer([0, 0], 1, [0, None])]
    assert in_arena(never, {0: 64, 1: 64}).arena_bytes == 128


def test_several_outputs_never_lie_over_an_input() -> None:
    layers = [layer([9], 0, [None]), layer([0], [1, 2], [0]), layer([1, 2], 3, [None, None])]
    assert in_arena(layers, {0: 64, 1: 32, 2: 32, 3: 4}).arena_bytes == 128


def test_an_output_that_begins_a_little_earlier_overlaps() -> None:
    layers = [layer([9], 0, [None]), layer([0], 1, [20]), layer([1], 2, [20])]
    assert in_arena(layers, {0: 400, 1: 400, 2: 400}).arena_bytes == 440


def test_what_may_lie_exactly_in_place_does_so() -> None:
    # As depthwise and pointwise convolutions by turns; a plain chain needs two tensors.
    layers = [layer([9], 0, [None])]
    for n in range(0, 6, 2):
        layers.append(layer([n], n + 1, [200], scratch=40, in_place=True))
        layers.append(layer([n + 1], n + 2, [8]))
    sizes = dict.fromkeys(range(7), 400)
    assert in_arena(layers, sizes).arena_bytes == 400 + 8 + 40


def test_what_is_read_later_is_not_replaced() -> None:
    layers = [layer([9], 0, [None]), layer([0], 1, [None], in_place=True), layer([0, 1], 2, [0, 0])]
    assert in_arena(layers, {0: 64, 1: 64, 2: 64}).arena_bytes == 128


def test_what_has_another_size_is_not_replaced() -> None:
    layers = [layer([9], 0, [None]), layer([0], 1, [None], in_place=True)]
    assert in_arena(layers, {0: 64, 1: 32}).arena_bytes == 96


def test_scratch_memory_lies_apart() -> None:
    layers = [layer([9], 0, [None]), layer([0], 1, [0], scratch=30)]
    assert in_arena(layers, {0: 64, 1: 64}).arena_bytes == 94


def test_a_residual_network_needs_two_large_tensors() -> None:
    # The first block of ResNet-8: x, a convolution of it, one of that, and their sum.
    row = 32 * 16
    layers = [
        layer([9], 0, [None]),
        layer([0], 1, [row + 32]),
        layer([1], 2, [row + 32]),
        layer([0, 2], 3, [0, 0]),
    ]
    size = 32 * row
    found = in_arena_quickly(layers, dict.fromkeys(range(4), size))
    assert found.arena_bytes == found.bound_bytes == 2 * size + row + 32


def in_arena_quickly(layers: Sequence[Layer], sizes: Mapping[int, int]) -> Plan:
    """Verify at a sixteenth of the size: bytes are owned in groups."""
    small = [
        layer(one.reads, one.writes, [s and s // 16 for s in one.slack], one.scratch_bytes // 16)
        for one in layers
    ]
    in_arena(small, {place: size // 16 for place, size in sizes.items()})
    return plan(layers, sizes)


def test_the_same_layers_give_the_same_plan() -> None:
    layers = [layer([i], i + 1, [9]) for i in range(40)]
    sizes = {i: 50 + i * 37 % 41 for i in range(41)}
    assert plan(layers, sizes) == plan(layers, sizes)


def test_nothing_is_needed_by_nothing() -> None:
    assert plan([], {}).arena_bytes == 0


def test_bytes_in_use_are_known_per_layer() -> None:
    layers = [layer([9], 0, [None]), layer([0], 1, [0], scratch=30), layer([1], 2, [None])]
    found = in_arena(layers, {0: 64, 1: 32, 2: 8})
    assert [found.live_bytes(number) for number in range(3)] == [64, 94, 40]
    assert max(map(found.live_bytes, range(3))) <= found.arena_bytes


@st.composite
def networks(draw: st.DrawFn) -> tuple[list[Layer], dict[int, int]]:
    """Layers that read what was written before, some of it twice, some of it of no use."""
    layers: list[Layer] = []
    count = 1
    for _ in range(draw(st.integers(1, 12))):
        reads = draw(st.lists(st.integers(max(0, count - 5), count - 1), min_size=1, max_size=3))
        slack = draw(
            st.lists(
                st.none() | st.just(0) | st.integers(0, 70),
                min_size=len(reads),
                max_size=len(reads),
            )
        )
        outputs = draw(st.sampled_from([1, 1, 1, 2]))
        scratch = draw(st.sampled_from([0, 0, 5, 40]))
        in_place = outputs == len(reads) == 1 and draw(st.booleans())
        made = range(count, count + outputs)
        layers.append(layer(reads, made, slack, scratch, in_place=in_place))
        count += outputs
    outside = draw(st.sets(st.integers(0, count - 1), max_size=2)) | {0}
    sizes = {
        place: draw(st.integers(1, 40) | st.just(24))
        for place in range(count)
        if place not in outside
    }
    return layers, sizes


@settings(max_examples=200, deadline=None)
@given(networks())
def test_nothing_is_overwritten_that_is_still_to_be_read(
    network: tuple[list[Layer], dict[int, int]],
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(placement, "_TRIES", 50)  # what is right does not depend on how many
        in_arena(*network)


@pytest.mark.parametrize("real", [21, None])
def test_a_plan_that_is_wrong_is_noticed(real: int | None) -> None:
    sizes = {0: 40, 1: 40}
    found = plan([layer([9], 0, [None]), layer([0], 1, [20])], sizes)
    with pytest.raises(AssertionError, match="overwrites"):
        verify(found, [layer([9], 0, [None]), layer([0], 1, [real])], sizes)
