"""Layers of equal constants share them, as the steps of a recurrent network do."""

import pytest

from tests.unit.targets.mcu import nets
from tests.unit.targets.mcu.identity import SANITIZED, assert_identical
from tests.unit.targets.mcu.nets import Net

pytest.importorskip("tflite_micro")  # it comes for x86-64 Linux alone


def test_steps_of_a_recurrent_network() -> None:
    net = Net()
    steps = nets.unpack(net, net.input((1, 5, 6)), axis=1)
    states = [nets.tanh(net, step) for step in steps]
    model = net.model(nets.pack(net, states, axis=1), nets.tanh(net, states[0]))
    sources = assert_identical(model, flags=SANITIZED)
    tables = [one.weights_bytes for one in sources.per_layer if one.operator == "TANH"]
    assert tables == [256, 0, 0, 0, 0, 256]  # the last reads another scale
    assert sources.weights_bytes == 512
    assert sources.files["model.c"].count("int8_t layer5_table[256]") == 1
