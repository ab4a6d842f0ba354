"""Functions of single values equal the oracles of both profiles on every input."""

from typing import get_args

import numpy as np
import pytest

from edgeflow.targets.mcu.generate import generate
from edgeflow.targets.mcu.settings import Profile, Settings
from tests.unit.targets.mcu import nets
from tests.unit.targets.mcu.identity import SANITIZED, assert_identical
from tests.unit.targets.mcu.nets import Net, Quant
from tests.unit.targets.mcu.overlap import assert_slack

pytest.importorskip("tflite_micro")  # it comes for x86-64 Linux alone

ALL = [[np.arange(-128, 128).astype(np.int8).reshape(1, 256)]]


def quant(random: np.random.Generator) -> Quant:
    return Quant(float(np.float32(10 ** random.uniform(-3, 0.5))), int(random.integers(-128, 128)))


@pytest.mark.parametrize("profile", get_args(Profile))
@pytest.mark.parametrize("seed", range(6))
def test_all_values(seed: int, profile: Profile) -> None:
    net = Net(seed=seed)
    x = net.input((1, 256), quant(net.random))
    outputs = [nets.logistic(net, x), nets.tanh(net, x)]
    for _ in range(8):
        out = quant(net.random)
        outputs += [nets.quantize(net, x, out), nets.relu(net, x, quant=out)]
        outputs.append(nets.leaky_relu(net, x, net.random.uniform(-1, 2), quant=out))
        if out.scale > nets._quant(net, x).scale / 127:
            outputs.append(nets.hard_swish(net, x, quant=out))
        if profile == "litert-ref":  # TensorFlow Lite Micro has it fused alone
            outputs.append(nets.relu_n1_to_1(net, x, quant=out))
    assert_identical(net.model(*outputs), Settings(profile=profile), ALL)


@pytest.mark.parametrize("profile", get_args(Profile))
def test_scales_whose_multipliers_differ_between_float32_and_float64(profile: Profile) -> None:
    net = Net()
    a = net.input((1, 256), Quant(0.906899631023407, 89))
    b = net.input((1, 256), Quant(0.003531857393682003, -81))
    c = net.input((1, 256), Quant(0.004797143861651421, 53))
    d = net.input((1, 256), Quant(0.2669331729412079, -53))
    of_d = Quant(0.056196458637714386, 101)
    outputs = [
        nets.leaky_relu(net, a, -0.15921886265277863, quant=Quant(0.10722053050994873, -117)),
        nets.leaky_relu(net, b, 0.11013438552618027, quant=Quant(0.001244475832208991, -122)),
        nets.hard_swish(net, c, quant=Quant(0.00204279157333076, -2)),
        nets.relu(net, d, quant=of_d),
        nets.quantize(net, d, of_d),
    ]
    if profile == "litert-ref":  # TensorFlow Lite Micro has one of them fused alone, and one odd
        outputs.append(nets.relu_n1_to_1(net, d, quant=of_d))
        outputs.append(nets._unary(net, "RELU6", d, of_d))
    assert_identical(net.model(*outputs), Settings(profile=profile), [ALL[0] * 4])


@pytest.mark.parametrize("profile", get_args(Profile))
@pytest.mark.parametrize("scale", [1e-8, 1e-5, 5.0, 60.0, 9000.0])
def test_inputs_far_from_the_curve(scale: float, profile: Profile) -> None:
    net = Net()
    x = net.input((1, 256), Quant(float(np.float32(scale)), 3))
    model = net.model(nets.logistic(net, x), nets.tanh(net, x))
    assert_identical(model, Settings(profile=profile), ALL)


@pytest.mark.parametrize("profile", get_args(Profile))
def test_slopes_whose_products_are_halves(profile: Profile) -> None:
    net = Net()
    x = net.input((1, 256), Quant(0.37, 0))
    steps = [1, 0.5, 2, 3]
    outputs = [
        nets.leaky_relu(net, x, slope, quant=Quant(float(np.float32(0.37 * step)), 0))
        for slope in (-0.5, -0.25, -1.5, 0.5, 1.5)
        for step in steps
    ]
    assert_identical(net.model(*outputs), Settings(profile=profile), ALL)


@pytest.mark.parametrize("profile", get_args(Profile))
@pytest.mark.parametrize("of", [Quant(0.05, -3), Quant(0.03, -128), Quant(1.5, 120)])
def test_relu6(of: Quant, profile: Profile) -> None:
    net = Net()
    x = net.input((1, 256), of)
    # TensorFlow Lite Micro takes no account of the output's scale; LiteRT does.
    other = nets._unary(net, "RELU6", x, Quant(0.02, -90))
    model = net.model(nets.relu6(net, x), other)
    assert_identical(model, Settings(profile=profile), ALL, flags=SANITIZED)


@pytest.mark.parametrize("profile", get_args(Profile))
def test_sigmoid_of_a_sigmoid(profile: Profile) -> None:
    """That of 2/256 is half a step above another one, but for float32's rounding."""
    net = Net()
    x = net.input((1, 256), Quant(1 / 256, -128))
    assert_identical(net.model(nets.logistic(net, x)), Settings(profile=profile), ALL)


def test_slack() -> None:
    net = Net()
    assert_slack(net.model(nets.tanh(net, net.input((1, 30)))))


def test_table_takes_256_bytes() -> None:
    net = Net()
    assert generate(net.model(nets.hard_swish(net, net.input((1, 1000))))).weights_bytes == 256
