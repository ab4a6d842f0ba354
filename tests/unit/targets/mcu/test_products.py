"""Convolutions and dense layers give the oracle's bytes, in either arithmetic of multiplication."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edgeflow.errors import CompileError
from edgeflow.targets.mcu.generate import generate
from edgeflow.targets.mcu.settings import Mode, Profile, Settings
from tests.unit.targets.mcu import nets
from tests.unit.targets.mcu.identity import SANITIZED, assert_identical
from tests.unit.targets.mcu.nets import Filter, Net, Quant

pytest.importorskip("tflite_micro")  # it comes for x86-64 Linux alone

FLAGS = {"wide": SANITIZED, "split": (*SANITIZED, "-DNN_SMALL_CORE")}

# Of filters on images of 9 by 8 by 3, each with 1, 5 and 8 channels.
FILTERS: dict[str, dict[str, Any]] = {
    "strides": {"stride": 2, "activation": "RELU6"},
    "sides": {"kernel": (5, 2), "stride": (1, 3), "per_channel": False},
    "stride beyond kernel": {"kernel": (1, 2), "stride": (3, 4), "padding": "VALID"},
    "dilation": {"dilation": (2, 1), "padding": "VALID", "activation": "RELU"},
    "wide dilation": {"dilation": 5, "activation": "RELU_N1_TO_1"},
    "kernel beyond image": {"kernel": 11},
    "pointwise": {"kernel": 1},
    "pointwise strides": {"kernel": 1, "stride": 2},
    "no bias": {"filter": Filter(bias=False)},
}


def many(
    build: Callable[..., int], count: int, *, input_zero_point: int = 3, **options: Any
) -> bytes:
    """Return a net that has the results of `build` for several numbers of channels as outputs."""
    net = Net(count)
    x = net.input((1, 9, 8, 3), Quant(0.04, input_zero_point))
    return net.model(*(build(net, x, channels, **options) for channels in (1, 5, 8)))


@pytest.mark.parametrize("options", FILTERS.values(), ids=FILTERS)
def test_conv(options: dict[str, Any]) -> None:
    assert_identical(many(nets.conv2d, 1, **options), flags=FLAGS["wide"])


@pytest.mark.parametrize(
    ("profile", "mode", "flags"),
    [
        ("tflm", "specialized", FLAGS["wide"]),
        ("tflm", "compact", FLAGS["split"]),
        ("litert-ref", "compact", FLAGS["wide"]),
    ],
)
def test_modes_and_profiles(profile: Any, mode: Any, flags: tuple[str, ...]) -> None:
    assert_identical(extremes(), Settings(profile=profile, mode=mode), 200, flags=flags)


def extremes() -> bytes:
    """Return a net with zero points at their ends and multipliers from 2^-20 to 2^5."""
    net = Net(5)
    x = net.input((1, 4, 4, 4), Quant(0.04, -128))
    ends = []
    for scale, zero_point in ((0.04 * 2**-5, 127), (0.03, -128), (0.04 * 2**9, 0), (4096.0, 7)):
        filter_ = Filter(scales=1.0, quant=Quant(scale, zero_point))
        ends.append(nets.conv2d(net, x, 5, per_channel=False, filter=filter_))
        ends.append(nets.fully_connected(net, x, 5, filter=filter_))
        ends.append(nets.fully_connected(net, x, 5, keep_dims=True, per_channel=True))
    return net.model(*ends)


@pytest.mark.parametrize("scale", [2.0**-31, 2.0**-30])
def test_scales_too_far_apart_are_refused(scale: float) -> None:
    net = Net()
    filter_ = Filter(scales=1.0, bias=False, quant=Quant(scale))
    model = net.model(nets.conv2d(net, net.input((1, 3, 3, 1), Quant(1.0)), 2, filter=filter_))
    profiles: tuple[Profile, ...] = ("tflm", "litert-ref")
    for profile in profiles:
        with pytest.raises(CompileError, match="too far apart"):
            generate(model, Settings(profile=profile))


def test_grouped_conv() -> None:
    net = Net()
    x = net.input((1, 5, 6, 6))
    y = net.tensor((1, 5, 6, 9), Quant(0.5, 4))
    weights = net.constant(net.random.integers(-127, 128, (9, 3, 3, 2)).astype(np.int8),
                           scales=[0.01 + 0.001 * i for i in range(9)])  # fmt: skip
    net.operator("CONV_2D", [x, weights], [y], "Conv2D", version=3, padding=0, strideH=1, strideW=1,
                 dilationHFactor=1, dilationWFactor=1)  # fmt: skip
    assert_identical(net.model(y), flags=FLAGS["wide"])


@pytest.mark.parametrize("per_channel", [False, True])
def test_ties_of_dense_layers_round_as_in_double_precision(per_channel: bool) -> None:
    net = Net()
    x = net.input((1, 6), Quant(1.0))
    ends = []
    for number, scale in enumerate((6.0, 10.0, 14.0, 22.0)):
        scales = [1.0, 3.0, 7.0, 1 / 3] * 10 if per_channel else 1.0
        weights = np.random.default_rng(number).integers(-9, 10, (40, 6)).astype(np.int8)
        filter_ = Filter(scales=scales, bias=False, weights=weights, quant=Quant(scale))
        ends.append(nets.fully_connected(net, x, 40, per_channel=per_channel, filter=filter_))
    modes: tuple[Mode, ...] = ("specialized", "unrolled")
    for mode in modes:
        assert_identical(net.model(*ends), Settings(profile="litert-ref", mode=mode), 200)
