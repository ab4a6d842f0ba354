"""Views take no code, and what the caller passes is read and written wherever views meet it."""

import pytest

from edgeflow.targets.mcu.generate import generate
from tests.unit.targets.mcu import nets
from tests.unit.targets.mcu.identity import SANITIZED, assert_identical
from tests.unit.targets.mcu.nets import Net

pytest.importorskip("tflite_micro")  # it comes for x86-64 Linux alone


def kernels(model: bytes) -> list[str]:
    return [layer.kernel for layer in generate(model).layers]


def test_chain_between_layers() -> None:
    net = Net()
    x = nets.tanh(net, nets.reshape(net, net.input((1, 4, 6)), (1, 24)))
    x = nets.squeeze(net, nets.expand_dims(net, nets.reshape(net, x, (1, 2, 12)), 1), [1])
    model = net.model(nets.reshape(net, nets.softmax(net, x), (24, 1)))
    assert kernels(model) == ["nn_table", "nn_softmax"]
    sources = assert_identical(model, flags=SANITIZED)
    assert sources.plan.arena_bytes == 24


def test_view_of_an_input_is_copied_to_an_output() -> None:
    net = Net()
    x = net.input((1, 24))
    view = nets.reshape(net, nets.expand_dims(net, x), (4, 6))
    model = net.model(view, nets.tanh(net, view))
    assert kernels(model) == ["nn_table", "nn_copy_rows"]
    assert_identical(model, flags=SANITIZED)


def test_outputs_that_are_views_of_one_another() -> None:
    net = Net()
    x = nets.tanh(net, net.input((1, 24)))
    one = nets.reshape(net, x, (2, 12))
    two = nets.reshape(net, one, (3, 8))
    model = net.model(two, nets.softmax(net, x), one, x)
    assert kernels(model) == ["nn_table", "nn_softmax", "nn_copy_rows", "nn_copy_rows"]
    sources = assert_identical(model, flags=SANITIZED)
    assert sources.plan.arena_bytes == 0


def test_view_of_a_constant() -> None:
    net = Net()
    constant = nets.reshape(net, nets.int8_constant(net, (2, 12)), (1, 24))
    model = net.model(nets.add(net, net.input((1, 24)), constant), constant)
    assert_identical(model, flags=SANITIZED)


def test_pick_of_everything_is_a_view() -> None:
    net = Net()
    x = nets.tanh(net, net.input((1, 1, 24)))
    whole = nets.strided_slice(net, nets.transpose(net, x, (1, 0, 2)), (0, 0, 0), (1, 1, 24))
    model = net.model(nets.softmax(net, whole))
    assert kernels(model) == ["nn_table", "nn_softmax"]
    assert_identical(model)


def test_an_input_that_nothing_reads_is_no_warning() -> None:
    net = Net()
    net.input((1, 5))
    model = net.model(nets.relu(net, net.input((1, 3))))
    assert_identical(model, flags=SANITIZED)
