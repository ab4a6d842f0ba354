"""Operators whose tensors and options do not fit together are refused before code is generated."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edgeflow.errors import CompileError
from edgeflow.targets.mcu.generate import generate
from edgeflow.targets.mcu.layers import OPERATORS
from edgeflow.targets.mcu.layers.base import Unsupported
from edgeflow.targets.mcu.layers.rules import RULES, check
from edgeflow.targets.mcu.reading import read_graph
from edgeflow.targets.mcu.settings import Settings
from tests.unit.targets.mcu import nets
from tests.unit.targets.mcu.nets import Net, Quant
from tests.unit.targets.mcu.test_oracle import BUILDERS, IMAGE

Build = Callable[[Net, int], Any]
Damage = Callable[[Any], None]


def built(build: Build) -> Any:
    net = Net(1)
    outputs = build(net, net.input(IMAGE))
    return net.object(*(outputs if isinstance(outputs, list) else [outputs]))


def check_all(model: bytes) -> None:
    graph = read_graph(model)
    for node in graph.nodes:
        check(graph, node)


def test_each_operator_that_is_lowered_has_a_rule() -> None:
    assert set(OPERATORS) <= set(RULES)


@pytest.mark.parametrize("build", BUILDERS.values(), ids=BUILDERS)
def test_sound_forms_pass(build: Build) -> None:
    check_all(nets.packed(built(build)))


@pytest.mark.parametrize("build", BUILDERS.values(), ids=BUILDERS)
def test_outputs_of_another_shape_are_refused(build: Build) -> None:
    model = built(build)
    graph = model.subgraphs[0]
    for change in ((0, -1), (-1, -1), (0, 1), (-1, 1)):
        tensor = graph.tensors[graph.outputs[0]]
        shape, tensor.shape = tensor.shape, list(tensor.shape)
        tensor.shape[change[0]] += change[1]
        with pytest.raises((CompileError, Unsupported)):
            check_all(nets.packed(model))
        tensor.shape = shape


def constant(values: Any, number: int) -> Damage:
    """Return what gives an input that is a constant other values."""

    def change(model: Any) -> None:
        array = np.asarray(values, np.int32)
        graph = model.subgraphs[0]
        buffer = graph.tensors[graph.operators[-1].inputs[number]].buffer
        model.buffers[buffer].data = np.frombuffer(array.tobytes(), np.uint8)

    return change


def option(**values: Any) -> Damage:
    return lambda m: vars(m.subgraphs[0].operators[-1].builtinOptions).update(values)


def last(**values: Any) -> Damage:
    return lambda m: vars(m.subgraphs[0].operators[-1]).update(values)


def quantization(tensor: int, **values: Any) -> Damage:
    return lambda m: vars(m.subgraphs[0].tensors[tensor].quantization).update(values)


DAMAGES: list[tuple[str, Damage, str]] = [
    ("conv2d", option(strideH=0), "has strideH = 0"),
    ("conv2d", option(strideW=-1), "has strideW = -1"),
    ("conv2d", option(dilationWFactor=0), "has dilationWFactor = 0"),
    ("conv2d", option(padding=2), "has padding = 2"),
    ("conv2d", last(inputs=[0]), "has 1 inputs"),
    ("conv2d", last(inputs=[0, 0, 2]), "weights that are computed"),
    ("conv2d", last(builtinOptionsType=0, builtinOptions=None), "options of nothing"),
    ("conv2d", quantization(1, quantizedDimension=3), "5 scales"),
    ("conv2d", constant([2**31 - 1] * 5, 2), "sums above 32 bits"),
    ("conv2d dilated", option(dilationHFactor=100), "larger than the image"),
    ("depthwise", option(depthMultiplier=2), "12 channels for 4"),
    ("average_pool2d", option(filterHeight=0), "has filterHeight = 0"),
    ("average_pool2d", quantization(1, scale=[0.5]), "changes the scale"),
    ("concatenation", option(fusedActivationFunction=1), "has a fused activation"),
    ("concatenation", option(axis=4), "axis 4 of 4"),
    ("pad", constant([[0, 0], [-1, 4], [0, 3], [0, 0]], 1), "cuts off"),
    ("reshape", constant([-1, 5], 1), "makes"),
    ("squeeze", option(squeezeDims=[1]), r"drops \[1\]"),
    ("expand_dims", constant(9, 1), "axis 9 of 5"),
    ("mean", constant([1, 4], 1), "axis 4 of 4"),
    ("softmax", option(beta=np.nan), "beta = nan"),
    ("softmax", option(beta=-1.0), "beta = -1"),
    ("softmax", quantization(1, scale=[0.5]), "1/256"),
    ("leaky_relu", option(alpha=np.inf), "alpha = inf"),
    ("relu", quantization(0, scale=[0.0]), "without one scale"),
    ("resize", constant([5, -13], 1), "resizes to"),
    ("strided_slice", constant([1, 0, 1, 1], 3), "stride of 0"),
    ("strided_slice", constant([0, 9, 3, 1], 1), "takes value 9 of 7"),
    ("strided_slice", option(ellipsisMask=1), "adds dimensions"),
    ("split", option(numSplits=2), "has 3 outputs"),
    ("split", constant(7, 0), "axis 7 of 4"),
    ("split", last(builtinOptionsType=0, builtinOptions=None), "has no numSplits"),
]


@pytest.mark.parametrize(("name", "damage", "message"), DAMAGES)
def test_damage_is_named(name: str, damage: Damage, message: str) -> None:
    model = built(BUILDERS[name])
    damage(model)
    with pytest.raises((CompileError, Unsupported), match=message):
        check_all(nets.packed(model))


def test_a_clamp_beyond_32_bits_is_refused() -> None:
    net = Net()
    tiny = nets.Filter(quant=Quant(1e-12))
    y = nets.fully_connected(net, net.input((1, 4)), 3, activation="RELU6", filter=tiny)
    with pytest.raises(CompileError, match="scale near zero"):
        generate(net.model(y))


def test_an_activation_that_is_no_clamp_is_refused() -> None:
    model = built(BUILDERS["mul"])
    option(fusedActivationFunction=4)(model)
    with pytest.raises(CompileError, match="fused activation TANH"):
        generate(nets.packed(model))


def test_a_float_network_names_its_edge() -> None:
    net = Net()
    x = net.input((1, 4), dtype="float32")
    with pytest.raises(CompileError, match="the input 't0' is float32"):
        generate(net.model(nets.dequantize(net, x)))


def test_scales_whose_quotient_is_no_number_are_refused() -> None:
    net = Net()
    y = nets.relu(net, net.input((1, 4), Quant(1e30)), quant=Quant(1e-30))
    with pytest.raises(CompileError, match="scales that are too far apart"):
        generate(net.model(y), Settings(profile="litert-ref"))  # computes in float32


def test_a_factor_beyond_32_bits_is_refused() -> None:
    net = Net()
    huge = nets.Filter(scales=[0.01, 1e34, 0.01], quant=Quant(0.1))
    y = nets.fully_connected(net, net.input((1, 4)), 3, per_channel=True, filter=huge)
    with pytest.raises(CompileError, match="scales that are too far apart"):
        generate(net.model(y))


def test_a_state_is_no_tensor_to_compute_on() -> None:
    net = Net()
    state = net.tensor((1, 4), Quant(0.1), variable=True)
    model = net.model(nets.add(net, net.input((1, 4)), state))
    with pytest.raises(CompileError, match="computes on the state 't0'"):
        generate(model)


def test_operators_share_no_state() -> None:
    net = Net()
    x = net.input((1, 3, 2))
    y = nets.lstm(net, x, 4)
    nets.lstm(net, x, 4)
    net.operators[1].inputs[18] = net.operators[0].inputs[18]
    with pytest.raises(CompileError, match="is the state of 2 operators"):
        generate(net.model(y))


def test_an_edge_without_a_scale_is_refused() -> None:
    model = built(BUILDERS["relu"])
    quantization(1, scale=[0.0])(model)
    with pytest.raises(CompileError, match="the output 't1' has no scale"):
        generate(nets.packed(model))


def test_constants_that_many_share_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    net = Net()
    x = net.input((1, 30))
    y = nets.fully_connected(net, x, 30)
    for _ in range(9):
        y = nets.fully_connected(net, y, 30)
        net.operators[-1].inputs[1:] = net.operators[0].inputs[1:]
    model = net.model(y)
    generate(model)
    monkeypatch.setattr("edgeflow.targets.mcu.layers.LARGEST_BYTES", 5 * 30 * 30)
    with pytest.raises(CompileError, match="bytes of constants and more"):
        generate(model)
