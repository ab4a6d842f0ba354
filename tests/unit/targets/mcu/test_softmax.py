"""Softmax equals the oracles of both profiles."""

from typing import get_args

import pytest

from edgeflow.errors import CompileError
from edgeflow.targets.mcu.generate import generate
from edgeflow.targets.mcu.settings import Profile, Settings
from tests.unit.targets.mcu import nets
from tests.unit.targets.mcu.identity import SANITIZED, assert_identical
from tests.unit.targets.mcu.nets import Net, Quant
from tests.unit.targets.mcu.overlap import assert_slack

pytest.importorskip("tflite_micro")  # it comes for x86-64 Linux alone


@pytest.mark.parametrize("profile", get_args(Profile))
@pytest.mark.parametrize(
    ("rows", "depth"), [(1, 1), (1, 2), (4, 3), (2, 10), (1, 100), (1, 511)], ids=str
)
def test_scales_and_betas(rows: int, depth: int, profile: Profile) -> None:
    net = Net()
    outputs = [
        nets.softmax(net, net.input((rows, depth), Quant(scale, -7)), beta)
        for scale in (1e-5, 0.01, 0.1, 0.3, 3.0, 1e4)
        for beta in (1.0, 0.3)
    ]
    assert_identical(net.model(*outputs), Settings(profile=profile), 40, flags=SANITIZED)


def test_exponentials_that_count_for_nothing_are_left_out() -> None:
    sizes = {}
    for scale in (0.1, 0.5):
        net = Net()
        model = net.model(nets.softmax(net, net.input((1, 10), Quant(scale))))
        sizes[scale] = generate(model).weights_bytes // 4
    assert sizes == {0.1: 139, 0.5: 28}  # exp(-13.9) is 2**-20


def test_slack() -> None:
    net = Net()
    assert_slack(net.model(nets.softmax(net, net.input((3, 30)))))


def test_too_many_classes_are_refused() -> None:
    net = Net()
    model = net.model(nets.softmax(net, net.input((1, 5000))))
    with pytest.raises(CompileError, match="is over 5000 values: use at most 4095"):
        generate(model)
