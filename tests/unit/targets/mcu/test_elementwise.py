"""Sums, differences and products equal the oracles of both profiles."""

from collections.abc import Callable
from typing import get_args

import numpy as np
import pytest

from edgeflow.errors import CompileError
from edgeflow.targets.mcu.generate import generate
from edgeflow.targets.mcu.settings import Profile, Settings
from tests.unit.targets.mcu import nets
from tests.unit.targets.mcu.identity import SANITIZED, assert_identical
from tests.unit.targets.mcu.nets import Net, Quant
from tests.unit.targets.mcu.overlap import assert_slack

pytest.importorskip("tflite_micro")  # it comes for x86-64 Linux alone

OPERATORS: dict[str, Callable[..., int]] = {"add": nets.add, "sub": nets.sub, "mul": nets.mul}
ACTIVATIONS = (None, "RELU", "RELU6", "RELU_N1_TO_1")


def quant(net: Net) -> Quant:
    scale = np.float32(10 ** net.random.uniform(-4, 0.5))
    return Quant(float(scale), int(net.random.integers(-128, 128)))


@pytest.mark.parametrize("profile", get_args(Profile))
@pytest.mark.parametrize("operator", OPERATORS)
def test_operands_of_any_scale_and_shape(operator: str, profile: Profile) -> None:
    net = Net(seed=len(operator))
    x = net.input((2, 3, 40), quant(net))
    outputs = []
    for shape in [
        (2, 3, 40),
        (1, 1, 40),
        (40,),
        (3, 1),
        (2, 1, 1),
        (1,),
        (),
        (2, 3, 40),
        (1, 3, 1),
    ]:
        constant = nets.int8_constant(net, shape, quant(net))
        variable = net.input(shape, quant(net)) if shape else x
        for other in (constant, variable):
            a, b = (x, other) if net.random.random() < 0.5 else (other, x)
            scales = [one.quant.scale for one in (net.info[a], net.info[b]) if one.quant]
            scale = 100 * np.prod(scales) if operator == "mul" else max(scales)
            out = Quant(float(scale * 10 ** net.random.uniform(-1, 1)), quant(net).zero_point)
            activation = ACTIVATIONS[net.random.integers(4)]
            outputs.append(OPERATORS[operator](net, a, b, quant=out, activation=activation))
    assert_identical(net.model(*outputs), Settings(profile=profile), 20, flags=SANITIZED)


@pytest.mark.parametrize("profile", get_args(Profile))
def test_extremes(profile: Profile) -> None:
    net = Net()
    x, y = net.input((2, 3, 8)), net.input((3, 1))
    of_x = net.info[x].quant
    outputs = []
    for extreme in (nets.maximum, nets.minimum):
        for shape in [(8,), (1,), ()]:
            constant = net.constant(np.full(shape, 17, np.int8), of_x)
            outputs += [extreme(net, x, constant), extreme(net, constant, x)]
        outputs += [extreme(net, x, y), extreme(net, y, x), extreme(net, x, x)]
    assert_identical(net.model(*outputs), Settings(profile=profile), 20, flags=SANITIZED)


def test_extremes_of_other_scales_are_refused() -> None:
    net = Net()
    model = net.model(nets.maximum(net, net.input((1, 8)), net.input((1, 8), Quant(3.0))))
    with pytest.raises(CompileError, match="MAXIMUM at t2 changes the scale"):
        generate(model)


@pytest.mark.parametrize("profile", get_args(Profile))
def test_prelu(profile: Profile) -> None:
    net = Net(seed=3)
    values = np.arange(-128, 128).astype(np.int8)
    sample = [np.repeat(values, 4).reshape(1, 256, 4)]
    outputs = []
    x = net.input((1, 256, 4), quant(net))
    for shape in [(1, 1, 4), (4,), (1, 1, 1), (1, 256, 1)]:
        for _ in range(4):
            slopes = nets.int8_constant(net, shape, quant(net))
            outputs.append(nets.prelu(net, x, slopes, quant=quant(net)))
    assert_identical(net.model(*outputs), Settings(profile=profile), [sample], flags=SANITIZED)


@pytest.mark.parametrize("profile", get_args(Profile))
@pytest.mark.parametrize("operator", OPERATORS)
def test_all_pairs_of_values(operator: str, profile: Profile) -> None:
    values = np.arange(-128, 128).astype(np.int8)
    net = Net()
    # Scales whose product float32 and float64 bring to different multipliers.
    a = net.input((256, 1), Quant(0.0011970072519034147, -55))
    b = net.input((256,), Quant(0.6236874461174011, 32))
    outs = [Quant(0.17873741686344147, -4), Quant(0.71, 0), Quant(1.9, -128), Quant(0.09, 127)]
    outputs = [OPERATORS[operator](net, a, b, quant=out) for out in outs]
    sample = [values.reshape(256, 1), values]
    assert_identical(net.model(*outputs), Settings(profile=profile), [sample])


def test_one_constant_value_makes_a_table() -> None:
    net = Net()
    model = net.model(nets.mul(net, net.input((1, 9)), nets.int8_constant(net, (1, 1))))
    assert [layer.kernel for layer in generate(model).layers] == ["nn_table"]


def test_other_constants_count_as_weights() -> None:
    net = Net()
    model = net.model(nets.add(net, net.input((1, 4, 9)), nets.int8_constant(net, (9,))))
    sources = generate(model)
    assert (sources.weights_bytes, sources.plan.arena_bytes) == (9, 0)


@pytest.mark.parametrize("shapes", [((4, 5), (4, 5)), ((4, 5), (5,)), ((4, 1), (4, 5))])
def test_slack(shapes: tuple[tuple[int, ...], ...]) -> None:
    net = Net()
    assert_slack(net.model(nets.sub(net, *(net.input(shape) for shape in shapes))))


def test_output_of_a_much_smaller_scale_is_refused() -> None:
    net = Net()
    x = net.input((1, 4), Quant(1.0))
    model = net.model(nets.add(net, x, x, quant=Quant(1e-7)))
    with pytest.raises(CompileError, match="ADD at t1 has an output of a scale much smaller"):
        generate(model)


def test_float_operands_are_refused() -> None:
    net = Net()
    x = net.tensor((1, 4), Quant(1.0), "int16")
    net.inputs.append(x)
    with pytest.raises(CompileError, match="the input 't0' is int16, and the C has int8"):
        generate(net.model(nets.add(net, x, x)))
