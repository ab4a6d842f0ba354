"""A network of every operator gives the oracle's bytes on each core."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from edgeflow.targets.mcu.board import boards
from edgeflow.targets.mcu.generate import generate
from edgeflow.targets.mcu.layers import OPERATORS
from edgeflow.targets.mcu.settings import Mode, Profile, Settings
from tests.system.test_firmware import need, opened
from tests.unit.targets.mcu import nets, tiny
from tests.unit.targets.mcu.identity import WARNINGS, expected, random_samples

CORES: list[tuple[str, Mode, Profile]] = [
    ("microbit", "compact", "tflm"),
    ("mps2-an385", "specialized", "tflm"),
    ("mps2-an386", "specialized", "tflm"),
    ("mps2-an500", "compact", "litert-ref"),
    ("mps2-an505", "specialized", "tflm"),
    ("sifive-e", "specialized", "litert-ref"),
    ("arduino-mega", "compact", "tflm"),
]
LITERT_ALONE = {"RELU_N1_TO_1"}  # TensorFlow Lite Micro has it as an activation of others only
TFLM_ALONE = {"ELU", "UNIDIRECTIONAL_SEQUENCE_LSTM"}


def shaped(net: nets.Net, x: int) -> int:
    """Return what is left of a picture, (1, 5, 4, 4), after operators that move values."""
    x = nets.pad(net, nets.pad(net, x, [(0, 0), (1, 0), (0, 2), (0, 0)]), [(0, 0)] * 4, value=5)
    x = nets.resize_nearest_neighbor(net, x, (5, 9))
    x = nets.strided_slice(net, x, (0, 0, 1, 0), (1, 5, 9, 4), (1, 2, 2, 1))
    x = nets.transpose(net, x, (0, 2, 1, 3))
    first, second = nets.split(net, x, 2)
    third, _ = nets.split_v(net, first, (1, 1))
    x = nets.concatenation(net, [nets.slice_(net, second, (0, 0, 0, 0), (1, 4, 3, 1)), third])
    return nets.reshape(net, x, (1, 24))


def every_operator(profile: Profile) -> nets.Net:
    """Return a network of all operators that a profile has."""
    net = nets.Net()
    x = nets.conv2d(net, net.input((1, 9, 7, 2)), 4, 3, stride=2, activation="RELU6")
    x = nets.add(net, x, nets.depthwise_conv2d(net, x, 1, 3, dilation=2))
    x = nets.mul(net, x, nets.hard_swish(net, x))
    x = nets.prelu(net, x, nets.int8_constant(net, (1, 1, 4)))
    x = nets.sub(net, x, nets.int8_constant(net, (4,)), activation="RELU")
    pooled = nets.average_pool2d(net, x, 3, stride=1, padding="SAME")
    means = nets.mean(net, nets.max_pool2d(net, pooled))
    x = shaped(net, x)
    if profile == "tflm":
        x = nets.lstm(net, nets.reshape(net, x, (1, 4, 6)), 3)
    x = nets.fully_connected(net, x, 4, per_channel=True)
    x = nets.pack(net, nets.unpack(net, x, 1), 1)
    for function in (nets.relu, nets.quantize, nets.leaky_relu, nets.tanh, nets.relu6):
        x = function(net, x)
    x = (nets.elu if profile == "tflm" else nets.relu_n1_to_1)(net, x)
    x = nets.add(net, x, nets.logistic(net, means))
    peaks = nets.reduce_max(net, pooled)
    low, high = (nets.int8_constant(net, (4,), net.info[peaks].quant) for _ in range(2))
    x = nets.mul(net, x, nets.minimum(net, nets.maximum(net, peaks, low), high))
    x = nets.fully_connected(net, nets.squeeze(net, nets.expand_dims(net, x, 1), (1,)), 5)
    nets.softmax(net, x)
    return net


def test_the_network_has_every_operator() -> None:
    assert set(every_operator("litert-ref").codes) == set(OPERATORS) - TFLM_ALONE
    # An ELU stands between conversions.
    assert set(every_operator("tflm").codes) == {*OPERATORS, "DEQUANTIZE"} - LITERT_ALONE


@pytest.mark.parametrize(("name", "mode", "profile"), CORES)
def test_every_operator_on_each_core(
    tmp_path: Path, name: str, mode: Mode, profile: Profile
) -> None:
    need(name)
    pytest.importorskip("tflite_micro")
    net = every_operator(profile)
    last = len(net.tensors) - 1
    model = net.model(last - 1, last)
    sources = generate(model, Settings(profile=profile, mode=mode, simd=boards()[name].family.dsp))
    tensors = sources.graph.tensors
    io = {
        side: [tiny.tensor(f"t{place}", tensors[place].shape) for place in places]
        for side, places in (("inputs", sources.graph.inputs), ("outputs", sources.graph.outputs))
    }
    tiny.build(tmp_path, name, sources.files, io=io, macs=sources.macs)
    samples = random_samples(sources.graph, 50)
    found = opened(tmp_path).infer_many(np.concatenate([picture for (picture,) in samples]))
    for place, arrays in enumerate(zip(*expected(model, profile, samples), strict=True)):
        np.testing.assert_array_equal(found[place], np.concatenate(arrays))
    assert_no_warning(tmp_path, name)


def assert_no_warning(folder: Path, name: str) -> None:
    """Compile for the core of a board as strictly as a careful user does."""
    board = boards()[name]
    command = [f"{board.family.compiler}gcc", *board.flags, "-ffreestanding", "-std=gnu99", "-O1"]
    # GCC's own arm_acle.h hands an unsigned result of a saturation to a signed variable.
    # The firmware's own string.h lies beside it: the compiler may come without a C library.
    command += [*WARNINGS, "-Wno-sign-conversion", "-Werror", "-fsyntax-only", "-I.", "model.c"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
