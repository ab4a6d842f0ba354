"""The LSTM equals TensorFlow Lite Micro's."""

from typing import Any

import pytest

from edgeflow.errors import CompileError
from edgeflow.targets.mcu.generate import generate
from edgeflow.targets.mcu.settings import Settings
from tests.unit.targets.mcu import nets
from tests.unit.targets.mcu.identity import SANITIZED, assert_identical
from tests.unit.targets.mcu.nets import Net, Quant
from tests.unit.targets.mcu.overlap import survives

pytest.importorskip("tflite_micro")  # it comes for x86-64 Linux alone


@pytest.mark.parametrize("seed", range(3))
def test_sequences(seed: int) -> None:
    net = Net(seed=seed)
    x = net.input((2, 7, 5), Quant(0.02, 9))
    y = net.input((6, 1, 3), Quant(0.05, -128))
    outputs = [
        nets.lstm(net, x, 6),
        nets.lstm(net, x, 3, quant=Quant(0.006, -20), cell_scale=2.0**-13, spread=0.1),
        nets.lstm(net, x, 8, cell_scale=2.0**-15, cell_clip=0.7),
        nets.lstm(net, x, 1, cell_scale=2.0**-9, spread=0.4),
        nets.lstm(net, y, 4, quant=Quant(0.0078, 3), time_major=True),
    ]
    assert_identical(net.model(*outputs), samples=40, flags=SANITIZED)


def test_last_step_of_stacked_layers() -> None:
    net = Net()
    x = nets.lstm(net, nets.lstm(net, net.input((1, 9, 4)), 12), 8)
    last = nets.strided_slice(net, x, (0, -1, 0), (1, 9, 8), shrink_mask=2)
    model = net.model(nets.softmax(net, nets.fully_connected(net, last, 3)))
    assert_identical(model, samples=40, flags=SANITIZED)


def test_working_memory_is_that_of_the_cells() -> None:
    net = Net()
    model = net.model(nets.lstm(net, net.input((1, 4, 3)), 5))
    sources = generate(model)
    assert sources.plan.arena_bytes == 2 * 5  # cells alone


@pytest.mark.parametrize(("inputs", "units"), [(3, 5), (5, 3), (4, 4)])
def test_slack(inputs: int, units: int) -> None:
    net = Net()
    model = net.model(nets.lstm(net, net.input((1, 6, inputs)), units))
    ((slack,),) = (layer.slack for layer in generate(model).layers)
    assert slack is not None
    assert survives(model, 0, slack)
    assert not survives(model, 0, slack - 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fusedActivationFunction": 1}, "has another activation than tanh"),
        ({"projClip": 1.0}, "clips its projection"),
        ({"cellClip": 1e-40}, "clips its cells to less than a step"),
    ],
)
def test_other_forms_are_refused(options: dict[str, Any], message: str) -> None:
    net = Net()
    y = nets.lstm(net, net.input((1, 4, 3)), 5)
    vars(net.operators[0].builtinOptions).update(options)
    with pytest.raises(CompileError, match=message):
        generate(net.model(y))


def test_litert_is_another_profile() -> None:
    net = Net()
    model = net.model(nets.lstm(net, net.input((1, 4, 3)), 5))
    with pytest.raises(CompileError, match="use the profile tflm"):
        generate(model, Settings(profile="litert-ref"))
