"""What the compiler asks of each operator, rule by rule."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgeflow.targets.edgetpu.lint import unmapped
from edgeflow.targets.edgetpu.options import EdgeTPUOptions
from edgeflow.targets.reading import read_graph
from tests.unit.targets.edgetpu.net import Net

IMAGE = (1, 8, 8, 4)
Build = Callable[[Net], object]


def reasons(net: Net, folder: Path, runtime: int = 14) -> dict[int, str]:
    graph = read_graph(net.write(folder / "model.tflite"))
    assert graph is not None
    return unmapped(graph, EdgeTPUOptions(kind="edgetpu", min_runtime_version=runtime))


def conv(net: Net, **options: int) -> None:
    net.conv(net.input, *IMAGE, **options)


def depthwise(net: Net, **options: int) -> None:
    inputs = [net.input, net.weights(1, 3, 3, 4), net.constant([0] * 4)]
    net.add("DEPTHWISE_CONV_2D", inputs, *IMAGE, version=3, **options)


def dense(net: Net, *shape: int, scales: int = 1, version: int = 4, **options: int) -> None:
    size = int(net.graph.tensors[net.input].shape[-1])
    inputs = [net.input, net.weights(shape[-1], size, scales=scales), net.constant([0] * shape[-1])]
    net.add("FULLY_CONNECTED", inputs, *shape, version=version, **options)


def reduce(net: Net, name: str, axes: list[int], *shape: int) -> None:
    net.add(name, [net.input, net.constant(axes)], *shape)


def pad(net: Net, paddings: list[list[int]], *shape: int) -> None:
    net.add("PAD", [net.input, net.constant(paddings)], *shape)


def resize(net: Net, name: str, *shape: int) -> None:
    net.add(name, [net.input, net.constant(shape[1:3])], *shape, version=3)


def strided(net: Net, strides: list[int], **options: int) -> None:
    inputs = [net.input, *(net.constant(value) for value in ([0] * 4, [1, 4, 4, 4], strides))]
    net.add("STRIDED_SLICE", inputs, 1, 4, 4, 4, **options)


def join(net: Net, *values: int, axis: int = 3, **options: int) -> None:
    constants = [net.constant(np.full(IMAGE, value), "int8") for value in values]
    depth = 4 * (1 + len(values))
    net.add("CONCATENATION", [net.input, *constants], 1, 8, 8, depth, axis=axis, **options)


def split(net: Net, axis: int) -> None:
    outputs = [net.tensor(1, 8, 8, 2), net.tensor(1, 8, 8, 2)]
    net.node("SPLIT", [net.constant(axis), net.input], outputs)


def softmax(name: str, reason: str, *shape: int) -> tuple[str, tuple[int, ...], Build, str]:
    return name, shape, lambda net: net.add("SOFTMAX", [net.input], *shape), reason


RULES: list[tuple[str, tuple[int, ...], Build, str]] = [
    ("conv", IMAGE, conv, ""),
    ("conv relu6", IMAGE, lambda net: conv(net, fusedActivationFunction=3), ""),
    ("conv tanh", IMAGE, lambda net: conv(net, fusedActivationFunction=4), "no RELU"),
    ("conv dilated", IMAGE, lambda net: conv(net, dilationWFactor=2, dilationHFactor=2), ""),
    ("conv oddly dilated", IMAGE, lambda net: conv(net, dilationWFactor=2), "same dilation"),
    ("depthwise", IMAGE, depthwise, ""),
    ("dense", (1, 16), lambda net: dense(net, 1, 10), ""),
    ("dense per channel", (1, 16), lambda net: dense(net, 1, 10, scales=10), "each of 10 outputs"),
    ("dense shuffled", (1, 16), lambda net: dense(net, 1, 10, weightsFormat=1), "format"),
    ("dense in 3D", (1, 5, 16), lambda net: dense(net, 1, 5, 10), "one vector"),
    ("dense v5", (1, 16), lambda net: dense(net, 1, 10, version=5), "version 5"),
    ("mean of the image", IMAGE, lambda net: reduce(net, "MEAN", [1, 2], 1, 4), ""),
    (
        "mean of a large image",
        (1, 256, 128, 3),
        lambda net: reduce(net, "MEAN", [1, 2], 1, 1, 1, 3),
        "32,768 values",
    ),
    (
        "mean of a quarter of it",
        (1, 64, 128, 3),
        lambda net: reduce(net, "MEAN", [1, 2], 1, 1, 1, 3),
        "",
    ),
    (
        "sum of a large image",
        (1, 256, 128, 4),
        lambda net: reduce(net, "SUM", [1, 2], 1, 4),
        "32,768 values",
    ),
    (
        "means of many pixels' channels",
        (1, 1, 40_000, 4),
        lambda net: reduce(net, "MEAN", [3], 1, 1, 40_000),
        "",
    ),
    ("mean of 4 channels", IMAGE, lambda net: reduce(net, "MEAN", [-1], 1, 8, 8), ""),
    ("mean of 3", (1, 8, 8, 3), lambda net: reduce(net, "MEAN", [3], 1, 8, 8), "multiple of 4"),
    ("mean of the batch", IMAGE, lambda net: reduce(net, "MEAN", [0], 8, 8, 4), "batch"),
    ("sum of the batch", IMAGE, lambda net: reduce(net, "SUM", [-4], 8, 8, 4), "batch"),
    ("maximum", IMAGE, lambda net: reduce(net, "REDUCE_MAX", [1], 1, 8, 4), ""),
    ("pad", IMAGE, lambda net: pad(net, [[0, 0], [1, 1], [1, 1], [0, 4]], 1, 10, 10, 8), ""),
    ("pad the batch", (1, 4), lambda net: pad(net, [[0, 1], [0, 0]], 2, 4), "pad the batch"),
    ("upsample", IMAGE, lambda net: resize(net, "RESIZE_BILINEAR", 1, 16, 16, 4), ""),
    (
        "a value over an image",
        (1, 1, 1, 4),
        lambda net: resize(net, "RESIZE_BILINEAR", 1, 33, 33, 4),
        "single value",
    ),
    (
        "large upsampling",
        (1, 256, 256, 32),
        lambda net: resize(net, "RESIZE_NEAREST_NEIGHBOR", 1, 512, 512, 32),
        "2 MiB",
    ),
    ("slice", IMAGE, lambda net: strided(net, [1, 1, 1, 1]), ""),
    ("strides", IMAGE, lambda net: strided(net, [1, 2, 2, 1]), "strides of 1"),
    ("ellipsis", IMAGE, lambda net: strided(net, [1, 1, 1, 1], ellipsisMask=1), "ellipsis"),
    ("new axis", IMAGE, lambda net: strided(net, [1, 1, 1, 1], newAxisMask=1), "dimensions"),
    ("join zeros", IMAGE, lambda net: join(net, 0), ""),
    ("join ones", IMAGE, lambda net: join(net, 1), "all zeros"),
    ("join two constants", IMAGE, lambda net: join(net, 0, 0), "all zeros"),
    ("join relu", IMAGE, lambda net: join(net, 0, fusedActivationFunction=1), "fused"),
    (
        "pool relu",
        IMAGE,
        lambda net: net.add("MAX_POOL_2D", [net.input], *IMAGE, fusedActivationFunction=1),
        "fused",
    ),
    ("split channels", IMAGE, lambda net: split(net, 3), ""),
    ("split the batch", IMAGE, lambda net: split(net, 0), "split the batch"),
    (
        "pack",
        (1, 4),
        lambda net: net.add("PACK", [net.input] * 2, 1, 2, 4, axis=1, valuesCount=2),
        "",
    ),
    (
        "pack the batch",
        (4, 4),
        lambda net: net.add("PACK", [net.input], 1, 4, 4, axis=0, valuesCount=1),
        "pack along the batch",
    ),
    (
        "slopes of channels",
        IMAGE,
        lambda net: net.add("PRELU", [net.input, net.weights(1, 1, 4)], *IMAGE),
        "",
    ),
    (
        "slopes of all",
        IMAGE,
        lambda net: net.add("PRELU", [net.input, net.weights(8, 8, 4)], *IMAGE),
        "shared_axes",
    ),
    softmax("softmax", "", 1, 1001),
    softmax("softmax of many", "16,000 values", 1, 16_001),
    softmax("softmax of short rows", "", 1, 4, 1029, 16),
    softmax("softmax of more short rows", "not [1, 4, 2100, 16]", 1, 4, 2100, 16),
    softmax("softmax of an image", "one vector", 1, 64, 64, 21),
    softmax("softmax of rows of many", "one vector", 1, 16_000, 10),
    softmax("softmax of few rows", "one vector", 4, 100),
    (
        "transpose of an image",
        (1, 3, 224, 224),
        lambda net: net.add("TRANSPOSE", [net.input, net.constant([0, 2, 3, 1])], 1, 224, 224, 3),
        "128 KiB",
    ),
    (
        "scores of many boxes",
        (1, 12_804, 91),
        lambda net: net.add("LOGISTIC", [net.input], 1, 12_804, 91),
        "one row",
    ),
    (
        "scores of few boxes",
        (1, 2034, 91),
        lambda net: net.add("LOGISTIC", [net.input], 1, 2034, 91),
        "",
    ),
    (
        "five dimensions",
        (1, 8, 8, 4),
        lambda net: net.add("RESHAPE", [net.input, net.constant([1, 8, 8, 2, 2])], 1, 8, 8, 2, 2),
        "3 innermost",
    ),
    (
        "argmax",
        IMAGE,
        lambda net: net.add("ARG_MAX", [net.input], 1, 8, 8, dtype="int64"),
        "no such",
    ),
    ("leaky relu", IMAGE, lambda net: net.add("LEAKY_RELU", [net.input], *IMAGE), "no such"),
    ("custom", IMAGE, lambda net: net.add("Decode", [net.input], 4, dtype="float32"), "no such"),
    ("16 bits", IMAGE, lambda net: net.add("RELU", [net.input], *IMAGE, dtype="int16"), "int16"),
]


@pytest.mark.parametrize(
    ("shape", "build", "reason"), [case[1:] for case in RULES], ids=[case[0] for case in RULES]
)
def test_a_rule(shape: tuple[int, ...], build: Build, reason: str, tmp_path: Path) -> None:
    net = Net(*shape)
    build(net)
    found = reasons(net, tmp_path)
    assert list(found) == ([0] if reason else [])
    assert reason in found.get(0, "")


OLD: list[tuple[str, Build, str]] = [
    (
        "expand",
        lambda net: net.add("EXPAND_DIMS", [net.input, net.constant(0)], 1, 1, 8, 8, 4),
        "13",
    ),
    ("rsqrt", lambda net: net.add("RSQRT", [net.input], *IMAGE), "14"),
    ("dilation", lambda net: depthwise(net, dilationWFactor=2, dilationHFactor=2), "13"),
    ("channels", lambda net: reduce(net, "MEAN", [3], 1, 8, 8), "13"),
    ("padding", lambda net: pad(net, [[0, 0], [0, 0], [0, 0], [0, 4]], 1, 8, 8, 8), "13"),
]


@pytest.mark.parametrize(
    ("build", "runtime"), [case[1:] for case in OLD], ids=[case[0] for case in OLD]
)
def test_what_takes_a_newer_runtime(build: Build, runtime: str, tmp_path: Path) -> None:
    net = Net(*IMAGE)
    build(net)
    assert f"takes runtime {runtime}" in reasons(net, tmp_path, runtime=12)[0]
    assert reasons(net, tmp_path, runtime=14) == {}


def test_squeezing_between_dimensions_takes_a_newer_runtime(tmp_path: Path) -> None:
    for shape, after, old in (((1, 1, 10), (1, 10), {}), ((5, 1, 10), (5, 10), {0: "13"})):
        net = Net(1, *shape)
        net.add("SQUEEZE", [net.input], 1, *after)
        found = reasons(net, tmp_path, runtime=12)
        assert found.keys() == old.keys()
        assert reasons(net, tmp_path) == {}


@pytest.mark.parametrize("name", ["CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"])
def test_weights_must_be_constants(name: str, tmp_path: Path) -> None:
    net = Net(1, 4)
    weights = net.add("RELU", [net.input], 1, 4)
    inputs = (
        [net.constant([1, 4]), weights, net.input] if name == "TRANSPOSE_CONV" else [0, weights]
    )
    net.add(name, inputs, 1, 4)
    assert "constant" in reasons(net, tmp_path)[1]


def test_states_of_an_lstm_may_have_16_bits(tmp_path: Path) -> None:
    net = Net(1, 28, 28)
    cell = net.tensor(1, 20, dtype="int16")
    net.graph.tensors[cell].isVariable = True
    inputs = [net.input, net.weights(20, 28), *[-1] * 16, cell]
    net.add("UNIDIRECTIONAL_SEQUENCE_LSTM", inputs, 1, 28, 20)
    assert reasons(net, tmp_path) == {}
