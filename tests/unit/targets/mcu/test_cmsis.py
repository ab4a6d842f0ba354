"""Layers by CMSIS-NN give the oracle's bytes, and bring its licence."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from edgeflow.errors import MissingToolError
from edgeflow.targets.mcu import cmsis
from edgeflow.targets.mcu.generate import generate
from edgeflow.targets.mcu.settings import Settings
from tests.unit.targets.mcu import nets
from tests.unit.targets.mcu.identity import SANITIZED, assert_identical
from tests.unit.targets.mcu.nets import Net

pytest.importorskip("tflite_micro")  # it comes for x86-64 Linux alone

BY_ARM = Settings(kernels="cmsis-nn")


def test_each_kernel_gives_the_oracles_bytes() -> None:
    net = Net()
    x = nets.conv2d(net, net.input((1, 11, 9, 3)), 6, activation="RELU")
    x = nets.conv2d(net, nets.conv2d(net, x, 4, dilation=2), 5, 1, per_channel=False)
    x = nets.depthwise_conv2d(net, nets.conv2d(net, x, 4, 1, stride=2))
    x = nets.depthwise_conv2d(net, nets.depthwise_conv2d(net, x, 2), kernel=5)
    x = nets.max_pool2d(net, nets.average_pool2d(net, x, 2, stride=1), 2, stride=1)
    x = nets.fully_connected(net, nets.reshape(net, x, (1, 4 * 3 * 8)), 7)
    sources = assert_identical(net.model(x), BY_ARM, flags=SANITIZED)
    assert [layer.kernel.removeprefix("nn_cmsis_") for layer in sources.layers] == [
        *("conv", "conv", "pointwise", "pointwise_strided"),
        *("depthwise_3x3", "depthwise", "depthwise_columns"),
        *("average_pool", "max_pool", "dense"),
    ]
    assert "Apache License" in sources.files["CMSIS-NN-LICENSE.txt"]
    assert "ca5dc34313be2ee5c46652917c30baac96c52621" in sources.files["CMSIS-NN-PROVENANCE.md"]


def dense(**options: Any) -> bytes:
    net = Net()
    return net.model(nets.fully_connected(net, net.input((1, 5)), 4, **options))


def test_what_it_does_not_take_is_left_to_other_kernels() -> None:
    once = Settings(kernels="cmsis-nn", profile="litert-ref")
    channels = Settings(kernels="cmsis-nn", simd=True)
    for model, settings in ((dense(), once), (dense(per_channel=True), channels)):
        sources = assert_identical(model, settings)
        assert not [layer for layer in sources.layers if "cmsis" in layer.kernel]
        assert not [name for name in sources.files if "arm_" in name or "CMSIS" in name]


def test_shared_kernels_call_nothing_that_is_not_there() -> None:
    net = Net()
    model = net.model(nets.depthwise_conv2d(net, net.input((1, 4, 4, 2)), kernel=2))
    settings = Settings(kernels="cmsis-nn", mode="compact")
    sources = assert_identical(model, settings, flags=("-O0",))  # no function is left out
    assert [layer.kernel for layer in sources.layers] == ["nn_cmsis_depthwise_columns"]


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cmsis, "find_spec", lambda name: None)
    with pytest.raises(MissingToolError, match="bakenn") as caught:
        generate(dense(), BY_ARM)
    assert caught.value.hint is not None
    assert "edgeflow-ml[cmsis-nn]" in caught.value.hint


def test_files_are_the_packages_own() -> None:
    spec = importlib.util.find_spec("bakenn")
    assert spec is not None
    assert spec.origin is not None
    original = next(Path(spec.origin).parent.rglob("arm_fully_connected_s8.c")).read_text()
    assert original in generate(dense(), BY_ARM).files["model_cmsis_nn.c"]
