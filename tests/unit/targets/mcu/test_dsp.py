"""Kernels that take two products at once give the oracle's bytes, by stand-ins on this machine."""

from typing import Any

import numpy as np
import pytest

from edgeflow.targets.mcu.generate import generate
from edgeflow.targets.mcu.layers.base import Layer
from edgeflow.targets.mcu.settings import Mode, Profile, Settings
from tests.unit.targets.mcu import nets
from tests.unit.targets.mcu.identity import SANITIZED, assert_identical
from tests.unit.targets.mcu.nets import Net
from tests.unit.targets.mcu.overlap import survives

pytest.importorskip("tflite_micro")  # it comes for x86-64 Linux alone


def kernels(model: bytes, mode: Mode = "specialized", profile: Profile = "tflm") -> list[str]:
    settings = Settings(simd=True, mode=mode, profile=profile)
    return [layer.kernel for layer in assert_identical(model, settings, flags=SANITIZED).layers]


CONVOLUTIONS: list[tuple[tuple[int, int, int], int, dict[str, Any]]] = [
    ((8, 7, 3), 6, {}),  # rows of the window are no whole words
    ((9, 9, 4), 5, {"stride": 2, "activation": "RELU"}),
    ((6, 5, 8), 4, {"kernel": 1, "per_channel": False}),
    ((7, 9, 2), 3, {"kernel": (2, 5), "padding": "VALID", "activation": "RELU6"}),
    ((12, 12, 4), 2, {"dilation": 2}),
    ((12, 11, 3), 1, {"dilation": (1, 2)}),
    ((5, 5, 1), 3, {"kernel": (10, 4), "stride": 2}),  # larger than the image
]


def test_convolutions() -> None:
    net = Net()
    outputs = [nets.conv2d(net, net.input((1, *shape)), n, **o) for shape, n, o in CONVOLUTIONS]
    assert kernels(net.model(*outputs)) == ["nn_conv_simd"] * len(outputs)


DEPTHWISE: list[tuple[tuple[int, int, int], dict[str, Any]]] = [
    ((8, 7, 3), {"activation": "RELU"}),
    ((9, 8, 2), {"multiplier": 2, "stride": 2}),
    ((7, 7, 2), {"stride": (2, 1), "padding": "VALID", "activation": "RELU6"}),
    ((1, 1, 5), {"per_channel": False}),
    ((3, 2, 4), {"stride": (1, 2)}),
    ((20, 70, 1), {}),  # more rows, and more columns, than the plane has
    ((40, 140, 1), {"stride": 2}),
]


def test_depthwise_convolutions() -> None:
    net = Net()
    outputs = [nets.depthwise_conv2d(net, net.input((1, *shape)), **o) for shape, o in DEPTHWISE]
    assert kernels(net.model(*outputs)) == ["nn_depthwise_simd"] * len(outputs)


DENSE: list[tuple[int, int, dict[str, Any]]] = [
    (40, 8, {}),
    (13, 3, {"per_channel": True}),
    (4, 5, {}),
    (3, 1, {}),
    (12, 6, {"activation": "RELU6"}),
]


def dense(*layers: tuple[int, int, dict[str, Any]]) -> bytes:
    net = Net()
    return net.model(*(nets.fully_connected(net, net.input((1, i)), n, **o) for i, n, o in layers))


def test_dense_layers() -> None:
    assert kernels(dense(*DENSE)) == ["nn_dense_simd"] * len(DENSE)


def test_compact_code_shares_them() -> None:
    net = Net()
    x = nets.conv2d(net, net.input((1, 6, 6, 3)), 4)
    x = nets.depthwise_conv2d(net, nets.conv2d(net, x, 6, 1))
    model = net.model(nets.fully_connected(net, nets.reshape(net, x, (1, 216)), 5))
    found = kernels(model, mode="compact")
    assert found == ["nn_conv_simd", "nn_conv_simd", "nn_depthwise_simd", "nn_dense_simd"]


def test_what_they_do_not_take_is_left_to_others() -> None:
    net = Net()
    x = nets.depthwise_conv2d(net, net.input((1, 9, 9, 2)), kernel=5)
    model = net.model(nets.depthwise_conv2d(net, x, dilation=2))
    assert not [name for name in kernels(model) if name.endswith("simd")]


def test_layers_rounded_once_are_left_to_others() -> None:
    assert kernels(dense((8, 4, {})), profile="litert-ref") == ["nn_dense_once"]


def one_layer(shift: int, zero_point: int, bias: int) -> Layer:
    """Return the layer of a dense network with one unit, whose scale is 0.75 * 2**shift."""
    scale = nets.Quant(0.75 * 2.0**shift, 0)
    net = Net()
    x = net.input((1, 1), nets.Quant(1.0, 0))
    y = net.tensor((1, 1), nets.Quant(1.0, zero_point))
    constants = [
        net.constant(np.array([[127]], np.int8), scale),
        net.constant(np.array([bias], np.int32), scale),
    ]
    net.operator("FULLY_CONNECTED", [x, *constants], [y], "FullyConnected", version=4)
    (layer,) = generate(net.model(y), Settings(simd=True)).layers
    return layer


@pytest.mark.parametrize(
    ("shift", "zero_point", "bias", "faster"),
    [
        (-1, 0, 0, True),
        (0, 0, 0, False),  # nothing is shifted right, so there is nothing to round twice
        (-1, 0, 2**30 - 127 * 128 - 1, True),
        (-1, 0, 2**30 - 127 * 128, False),  # twice the sum has no room
        (-21, 127, 2**30 - 2**15, True),
        (-22, 127, 0, True),
        (-23, 127, 0, False),  # nor has what is added before the shift
    ],
)
def test_scaling_is_taken_where_it_is_exact(
    shift: int, zero_point: int, bias: int, faster: bool
) -> None:
    assert (one_layer(shift, zero_point, bias).kernel == "nn_dense_simd") == faster


@pytest.mark.parametrize(
    ("shape", "multiplier", "stride"), [((30, 5, 3), 1, 1), ((33, 9, 4), 1, 2), ((20, 70, 2), 2, 1)]
)
def test_depthwise_outputs_over_their_inputs(
    shape: tuple[int, int, int], multiplier: int, stride: int
) -> None:
    net = Net()
    x = nets.depthwise_conv2d(net, net.input((1, *shape)), multiplier, 3, stride=stride)
    model, settings = net.model(x), Settings(simd=True)
    sources = generate(model, settings)
    (layer,) = sources.layers
    (slack,) = layer.slack
    assert slack is not None
    assert slack < sources.graph.tensors[layer.writes[0]].size
    assert survives(model, 0, slack, settings)


def test_depthwise_outputs_in_the_place_of_their_inputs() -> None:
    net = Net()
    model = net.model(nets.depthwise_conv2d(net, net.input((1, 25, 5, 32)), activation="RELU"))
    settings = Settings(simd=True)
    assert generate(model, settings).layers[0].in_place
    assert survives(model, 0, 0, settings)


def test_a_chain_of_convolutions_needs_little_more_than_one_tensor() -> None:
    net = Net()
    x = nets.conv2d(net, net.input((1, 25, 5, 2)), 32)
    for _ in range(3):
        x = nets.conv2d(net, nets.depthwise_conv2d(net, x, activation="RELU"), 32, 1)
    sources = assert_identical(net.model(nets.max_pool2d(net, x)), Settings(simd=True))
    plane = max(layer.scratch_bytes for layer in sources.layers)
    assert sources.plan.arena_bytes < plane + 1.1 * 25 * 5 * 32
