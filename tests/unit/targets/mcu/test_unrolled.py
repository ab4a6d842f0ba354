"""Dense layers whose weights are part of the code."""

import re

import numpy as np
import pytest

from edgeflow.errors import CompileError
from edgeflow.targets.mcu.generate import generate
from edgeflow.targets.mcu.layers.unrolled import MOST_WEIGHTS
from edgeflow.targets.mcu.settings import Settings
from tests.unit.targets.mcu import nets
from tests.unit.targets.mcu.identity import SANITIZED, assert_identical
from tests.unit.targets.mcu.nets import Filter, Net

pytest.importorskip("tflite_micro")  # it comes for x86-64 Linux alone

UNROLLED = Settings(mode="unrolled")


def mlp(seed: int = 0) -> bytes:
    """16-16-8-4, with HardTanh between the layers."""
    net = Net(seed)
    x = net.input((1, 16))
    for units in (16, 8):
        x = nets.fully_connected(net, x, units, activation="RELU_N1_TO_1")
    return net.model(nets.fully_connected(net, x, 4))


@pytest.mark.parametrize("seed", [0, 1])
def test_the_bytes_are_the_oracles(seed: int) -> None:
    sources = assert_identical(mlp(seed), UNROLLED, 200)
    code = sources.files["model.c"]
    assert "nn_dense" not in code + sources.files["model_kernels.h"]
    assert "int64_t" not in code
    assert not re.search(r"const NN_FLASH", code)
    assert sources.weights_bytes >= 416


def test_code_without_undefined_behaviour() -> None:
    assert_identical(mlp(), UNROLLED, 50, flags=SANITIZED)


def test_no_other_kernel_takes_what_is_unrolled() -> None:
    sources = assert_identical(mlp(), Settings(mode="unrolled", simd=True))
    assert all(layer.unrolled for layer in sources.layers)


def test_rounding_once() -> None:
    assert_identical(mlp(), Settings(mode="unrolled", profile="litert-ref"), 200)


@pytest.mark.parametrize("profile", ["tflm", "litert-ref"])
def test_scales_that_have_no_formula_use_the_kernels_arithmetic(profile: str) -> None:
    net = Net()
    x = net.input((1, 3), nets.Quant(0.5))
    # A sum of at most 300 or so, which is multiplied by more than 1.
    found = Filter(scales=4.0, weights=np.array([[1, 0, -1], [0, 0, 0]], np.int8), bias=False,
                   quant=nets.Quant(1.5, 3))  # fmt: skip
    model = net.model(nets.fully_connected(net, x, 2, filter=found))
    sources = assert_identical(model, Settings(mode="unrolled", profile=profile), 50)  # type: ignore[arg-type]
    assert "a0 += 1 * x0" in sources.files["model.c"]
    assert "x1" not in sources.files["model.c"]


def test_a_scale_for_each_unit_and_several_rows() -> None:
    net = Net(3)
    x = net.input((1, 5, 7))
    y = nets.fully_connected(net, x, 6, per_channel=True, keep_dims=True)
    sources = assert_identical(net.model(y), UNROLLED, 50, flags=SANITIZED)
    assert "row < 5" in sources.files["model.c"]


def test_other_layers_stay_calls_of_kernels() -> None:
    net = Net(1)
    y = nets.fully_connected(net, nets.conv2d(net, net.input((1, 6, 6, 2)), 3, stride=2), 4)
    sources = assert_identical(net.model(nets.softmax(net, y)), UNROLLED, 50)
    assert "nn_conv(&layer0, in" in sources.files["model.c"]
    assert "layer1(&arena" in sources.files["model.c"]


def test_a_layer_that_is_too_large_is_refused_with_numbers() -> None:
    net = Net()
    x = net.input((1, 64))
    model = net.model(nets.fully_connected(net, x, MOST_WEIGHTS // 64 + 1))
    with pytest.raises(CompileError, match=r"4,160 weights, which are about 29,120 bytes"):
        generate(model, UNROLLED)


def test_a_network_without_dense_layers_is_refused() -> None:
    net = Net()
    model = net.model(nets.relu(net, net.input((1, 8))))
    with pytest.raises(CompileError, match="no dense layer"):
        generate(model, UNROLLED)
