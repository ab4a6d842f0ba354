"""Conversions to float and back inside of a network take no float in C."""

from typing import get_args

import numpy as np
import pytest

from edgeflow.errors import CompileError
from edgeflow.targets.mcu.generate import generate
from edgeflow.targets.mcu.settings import Profile, Settings
from tests.unit.targets.mcu import nets
from tests.unit.targets.mcu.identity import SANITIZED, assert_identical
from tests.unit.targets.mcu.nets import Net, Quant

pytest.importorskip("tflite_micro")  # it comes for x86-64 Linux alone

ALL = [[np.arange(-128, 128).astype(np.int8).reshape(1, 256)]]


def split_in_float(net: Net, x: int) -> list[int]:
    real = nets.dequantize(net, x)
    halves = [net.tensor((1, 128), None, "float32") for _ in range(2)]
    net.operator("SPLIT", [net.constant(np.array(1, np.int32)), real], halves, "Split", numSplits=2)
    return halves


def test_elu_is_a_table() -> None:
    net = Net()
    outputs = []
    for scale in (0.01, 0.05, 0.7):
        x = net.input((1, 256), Quant(scale, -3))
        outputs += [nets.elu(net, x), nets.elu(net, x, Quant(0.11, 20))]
        outputs.append(nets._unary(net, "ELU", x, Quant(0.04, -90)))
    model = net.model(*outputs)
    assert {layer.kernel for layer in generate(model).layers} == {"nn_table"}
    assert_identical(model, samples=[ALL[0] * 3])


@pytest.mark.parametrize("profile", get_args(Profile))
def test_values_that_are_moved_in_float_are_moved_in_int8(profile: Profile) -> None:
    net = Net()
    quant = Quant(0.04, 3)
    x = net.input((1, 256), quant)
    halves = split_in_float(net, x)
    outputs = [nets.quantize(net, halves[0], quant), nets.quantize(net, halves[1], Quant(0.03, 9))]
    model = net.model(*(nets.tanh(net, y) for y in outputs))
    kernels = [layer.kernel for layer in generate(model).layers]
    assert kernels == ["nn_pick", "nn_pick", "nn_table", "nn_table", "nn_table"]
    assert_identical(model, Settings(profile=profile), ALL, flags=SANITIZED)


@pytest.mark.parametrize("profile", get_args(Profile))
def test_constants_are_converted_at_once(profile: Profile) -> None:
    net = Net()
    constant = nets.dequantize(net, nets.int8_constant(net, (8,)))
    values = nets.quantize(net, constant, Quant(0.017, 5))
    model = net.model(nets.mul(net, net.input((1, 8)), values))
    assert [layer.kernel for layer in generate(model).layers] == ["nn_mul"]
    assert_identical(model, Settings(profile=profile), flags=SANITIZED)


def test_other_operators_in_float_are_refused() -> None:
    net = Net()
    halves = split_in_float(net, net.input((1, 256)))
    y = net.tensor((1, 128), None, "float32")
    net.operator("EXP", [halves[0]], [y], "Exp")
    model = net.model(nets.quantize(net, y), nets.quantize(net, halves[1]))
    with pytest.raises(CompileError, match="DEQUANTIZE at t1, EXP at t5 has no kernel"):
        generate(model)


def test_damaged_moves_in_float_are_refused() -> None:
    net = Net()
    halves = split_in_float(net, net.input((1, 256)))
    net.operators[1].inputs = [net.operators[1].inputs[0]]
    with pytest.raises(CompileError):
        generate(net.model(nets.quantize(net, halves[0])))


def test_an_upsampling_of_keras_is_told_what_takes_its_place() -> None:
    net = Net()
    net.operator(
        "TILE",
        [net.input((1, 2, 2, 1)), net.integers(1, 2, 2, 1)],
        [out := net.tensor((1, 4, 4, 1), Quant(0.04, 3))],
    )
    with pytest.raises(CompileError, match=r"TILE at t2 has no kernel: .*tf\.image\.resize"):
        generate(net.model(out))
