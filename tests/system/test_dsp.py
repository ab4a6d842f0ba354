"""Kernels for the DSP extension, edgeflow's and Arm's, give the oracle's bytes as instructions."""

from pathlib import Path

import numpy as np
import pytest

from edgeflow.targets.mcu.build import BuildError
from edgeflow.targets.mcu.generate import generate
from edgeflow.targets.mcu.settings import Kernels, Mode, Settings
from tests.system.test_firmware import need, opened
from tests.unit.targets.mcu import nets, tiny
from tests.unit.targets.mcu.identity import expected, random_samples

FORMS: list[tuple[str, Mode, Kernels, list[str]]] = [
    ("mps2-an386", "specialized", "portable", ["-O3"]),
    ("mps2-an500", "compact", "portable", ["-Os"]),
    ("mps2-an505", "specialized", "portable", ["-O2"]),
    ("mps2-an386", "specialized", "cmsis-nn", ["-O3"]),
]


def network() -> bytes:
    """Return a network whose layers take each way through the kernels."""
    net = nets.Net()
    x = nets.conv2d(net, net.input((1, 9, 23, 3)), 5, 3, stride=(1, 2), activation="RELU")
    x = nets.depthwise_conv2d(net, nets.conv2d(net, x, 8, 1, activation="RELU6"))
    x = nets.depthwise_conv2d(net, x, stride=2, activation="RELU6")
    x = nets.depthwise_conv2d(net, x, activation="RELU_N1_TO_1")
    x = nets.depthwise_conv2d(net, nets.conv2d(net, x, 4, 3), stride=(1, 2))
    x = nets.average_pool2d(net, x, 2, stride=1)
    x = nets.reshape(net, x, (1, int(np.prod(net.info[x].shape))))
    return net.model(nets.fully_connected(net, nets.fully_connected(net, x, 11), 6))


@pytest.mark.parametrize(("board", "mode", "kernels", "optimize"), FORMS)
def test_bytes_on_a_core_with_the_extension(
    tmp_path: Path, board: str, mode: Mode, kernels: Kernels, optimize: list[str]
) -> None:
    need(board)
    pytest.importorskip("tflite_micro")
    model = network()
    sources = generate(model, Settings(mode=mode, simd=True, kernels=kernels))
    other = [one.kernel for one in sources.layers if "_simd" not in one.kernel]
    assert len(other) == (1 if kernels == "portable" else 10)  # a pool; or all are Arm's
    io = {"inputs": [tiny.tensor("in", (1, 9, 23, 3))], "outputs": [tiny.tensor("out", (1, 6))]}
    tiny.build(tmp_path, board, sources.files, optimize, io=io, macs=sources.macs)
    samples = random_samples(sources.graph, 20)
    (found,) = opened(tmp_path).infer_many(np.concatenate([one for (one,) in samples]))
    wanted = expected(model, "tflm", samples)
    np.testing.assert_array_equal(found, np.concatenate([one for (one,) in wanted]))


def test_an_avr_does_not_take_them(tmp_path: Path) -> None:
    """Its constants lie in another address space, so words of them would be read from RAM."""
    need("arduino-mega")
    sources = generate(network(), Settings(mode="compact", simd=True))
    io = {"inputs": [tiny.tensor("in", (1, 9, 23, 3))], "outputs": [tiny.tensor("out", (1, 6))]}
    with pytest.raises(BuildError, match="generate without SIMD"):
        tiny.build(tmp_path, "arduino-mega", sources.files, io=io)
