"""Operators that move values equal the oracles of both profiles."""

import itertools
from collections.abc import Callable
from typing import get_args

import pytest

from edgeflow.errors import CompileError
from edgeflow.targets.mcu.generate import generate
from edgeflow.targets.mcu.settings import Profile, Settings
from tests.unit.targets.mcu import nets
from tests.unit.targets.mcu.identity import SANITIZED, assert_identical
from tests.unit.targets.mcu.nets import Net
from tests.unit.targets.mcu.overlap import assert_slack

pytest.importorskip("tflite_micro")  # it comes for x86-64 Linux alone

PADDINGS = [
    [(0, 0), (1, 2), (3, 0), (0, 0)],
    [(0, 0), (0, 0), (0, 0), (2, 1)],
    [(1, 0), (0, 1), (0, 0), (0, 2)],
    [(0, 0), (1, 1), (0, 0), (0, 0)],
    [(2, 1), (1, 2), (1, 3), (3, 1)],
    [(0, 0), (0, 0), (0, 0), (0, 0)],
]


@pytest.mark.parametrize("profile", get_args(Profile))
def test_padding(profile: Profile) -> None:
    net = Net()
    x = net.input((2, 3, 4, 5))
    y = net.input((3, 4))
    outputs = [nets.pad(net, x, paddings) for paddings in PADDINGS]
    outputs += [nets.pad(net, x, PADDINGS[0], -77), nets.pad(net, y, [(1, 0), (2, 3)], 99)]
    assert_identical(net.model(*outputs), Settings(profile=profile), flags=SANITIZED)


@pytest.mark.parametrize("profile", get_args(Profile))
@pytest.mark.parametrize("axis", [0, 1, -2, 3])
def test_concatenation(axis: int, profile: Profile) -> None:
    net = Net()
    shape = [2, 3, 4, 5]
    inputs = []
    for size in (1, 3, 2):
        shape[axis] = size
        inputs.append(net.input(shape))
    constant = nets.int8_constant(net, shape, net.info[inputs[0]].quant)
    outputs = [
        nets.concatenation(net, inputs, axis),
        nets.concatenation(net, [inputs[0], constant, inputs[1], inputs[0]], axis),
        nets.concatenation(net, inputs[:1], axis),
    ]
    assert_identical(net.model(*outputs), Settings(profile=profile), flags=SANITIZED)


@pytest.mark.parametrize("profile", get_args(Profile))
@pytest.mark.parametrize(("corners", "centers"), [*itertools.product((False, True), repeat=2)])
def test_resize_nearest(corners: bool, centers: bool, profile: Profile) -> None:
    net = Net()
    x = net.input((1, 5, 7, 3))
    sizes = [(10, 14), (3, 3), (5, 7), (1, 1), (7, 2), (13, 11)]
    outputs = [
        nets.resize_nearest_neighbor(
            net, x, size, align_corners=corners, half_pixel_centers=centers
        )
        for size in sizes
    ]
    assert_identical(net.model(*outputs), Settings(profile=profile), flags=SANITIZED)


@pytest.mark.parametrize("profile", get_args(Profile))
def test_slices(profile: Profile) -> None:
    net = Net()
    x = net.input((2, 5, 6, 4))
    outputs = [
        nets.strided_slice(net, x, (0, 1, 2, 0), (2, 4, 6, 4)),
        nets.strided_slice(net, x, (0, 1, 0, 3), (2, 5, 6, 0), (1, 2, 3, -1)),
        nets.strided_slice(net, x, (0, -1, -2, 0), (9, -5, -6, 4), (1, -2, -1, 3)),
        nets.strided_slice(net, x, (1, 4, 0, 3), (0, 0, 0, 0), (1, -1, 1, -1), end_mask=15),
        nets.strided_slice(net, x, (1, 2, 3, 0), (2, 3, 4, 4), begin_mask=2, shrink_mask=1),
        nets.strided_slice(net, x, (1, -2, 3, 2), (2, 3, 4, 3), shrink_mask=15),
        nets.slice_(net, x, (0, 1, 2, 3), (2, -1, 2, 1)),
        *nets.split(net, x, 2, axis=0),
        *nets.split(net, x, 3, axis=-2),
        *nets.split(net, x, 1, axis=1),
        *nets.split_v(net, x, (1, -1, 2), axis=1),
        *(y for axis in (0, -1) for y in nets.unpack(net, x, axis)),
        *(nets.pack(net, [x, x, x], axis) for axis in (0, 2, -1)),
        *(nets.transpose(net, x, axes) for axes in itertools.permutations(range(4))),
    ]
    assert_identical(net.model(*outputs), Settings(profile=profile), flags=SANITIZED)


MOVES: list[Callable[[Net, int], int]] = [
    lambda net, x: nets.pad(net, x, [(0, 0), (1, 2), (1, 1), (0, 0)]),
    lambda net, x: nets.resize_nearest_neighbor(net, x, 9),
    lambda net, x: nets.resize_nearest_neighbor(net, x, 3),
    lambda net, x: nets.strided_slice(net, x, (0, 0, 5, 0), (1, 5, 0, 4), (1, 2, -1, 1)),
    lambda net, x: nets.transpose(net, x, (0, 2, 1, 3)),
]


@pytest.mark.parametrize("move", MOVES)
def test_slack(move: Callable[[Net, int], int]) -> None:
    net = Net()
    assert_slack(net.model(move(net, net.input((1, 5, 6, 4)))))


def test_other_quantization_is_refused() -> None:
    net = Net()
    model = net.model(
        nets.concatenation(net, [net.input((1, 4)), net.input((1, 4), nets.Quant(3.0))])
    )
    with pytest.raises(CompileError, match="CONCATENATION at t2 changes the scale"):
        generate(model)
