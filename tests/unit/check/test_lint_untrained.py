"""`edgeflow check` says what stays off an accelerator before a network is trained."""

from pathlib import Path
from typing import Any

import pytest

from edgeflow.check.lint import lints
from edgeflow.config.load import parse
from edgeflow.plan import Plan
from edgeflow.targets.fpga import lint as fpga_lint

NETS = """\
def build(keras, input_shape, classes):
    import tensorflow as tf
    inputs = keras.Input(input_shape)
    x = keras.layers.Conv2D(4, 3, activation="relu")(inputs)
    x = keras.layers.Dense(classes)(keras.layers.Flatten()(x))
    return keras.Model(inputs, keras.layers.Lambda(tf.abs, name="absolute")(x))
"""


@pytest.fixture(autouse=True)
def nets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lint_nets.py").write_text(NETS)
    monkeypatch.syspath_prepend(tmp_path)


def plan(*recipes: dict[str, Any]) -> Plan:
    named = {f"r{number}": recipe for number, recipe in enumerate(recipes)}
    devices = {f"d{number}": {"target": "tpu", "transport": "virtual"} for number in range(9)}
    raw = {
        "datasets": {"digits": {"source": "digits"}},
        "models": {"net": {"dataset": "digits", "architecture": {"name": "lint_nets:build"}}},
        "recipes": named,
        "targets": {"tpu": {"kind": "edgetpu"}, "pi": {"kind": "litert"}},
        "devices": {**devices, "kitchen": {"target": "pi", "transport": "virtual"}},
        "deployments": [
            {"model": "net", "recipe": name, "devices": [device, "kitchen"]}
            for name, device in zip(named, devices, strict=False)
        ][:1]
        + [
            {"model": "net", "recipe": name, "devices": [device]}
            for name, device in zip(named, devices, strict=False)
        ][1:],
    }
    return Plan(parse(raw))


def test_a_target_speaks_of_a_network_before_it_is_trained() -> None:
    per_tensor = {"quantize": "ptq-int8", "dense_scales": "per-tensor"}
    found = plan({"quantize": "ptq-int8"}, per_tensor, {"quantize": "qat-int8"})
    assert list(lints(found, fast=True)) == []
    lines = list(lints(found, fast=False))
    warned = [line for line in lines if ": warning: " in line]
    first = [line for line in warned if line.startswith("model net/r0 for target tpu: ")]
    assert ["FULLY_CONNECTED" in line for line in first] == [True, False]
    assert "give the recipe `dense_scales: per-tensor`" in first[0]
    for recipe in ("r1", "r2"):
        (only,) = [line for line in warned if line.startswith(f"model net/{recipe} ")]
        assert "ABS" in only
        assert "no such operator" in only
    assert not any("for target pi" in line for line in lines)


def test_a_target_of_float_networks_speaks_of_them_too() -> None:
    raw = {
        "datasets": {"digits": {"source": "digits"}},
        "models": {"net": {"dataset": "digits", "architecture": {"name": "lint_nets:build"}}},
        "recipes": {"float": {}, "half": {"quantize": "fp16"}},
        "targets": {"stick": {"kind": "myriad"}},
        "devices": {name: {"target": "stick", "transport": "virtual"} for name in ("a", "b")},
        "deployments": [
            {"model": "net", "recipe": "float", "devices": ["a"]},
            {"model": "net", "recipe": "half", "devices": ["b"]},
        ],
    }
    found = list(lints(Plan(parse(raw)), fast=False))
    assert len(found) == 2
    for line, recipe in zip(found, ("float", "half"), strict=True):
        assert line.startswith(f"model net/{recipe} for target stick: warning: ABS at ")
        assert line.endswith("the VPU has no such layer")


@pytest.mark.parametrize(("most", "severity"), [(2_000, "warning"), (20_000, "note"), (80_000, "")])
def test_a_network_too_large_to_be_unrolled_is_told_before_it_is_trained(
    monkeypatch: pytest.MonkeyPatch, most: int, severity: str
) -> None:
    monkeypatch.setattr(fpga_lint, "COST_MAX", most)
    architecture = {"name": "mlp", "units": [100]}
    raw = {
        "datasets": {"digits": {"source": "digits"}},
        "models": {"net": {"dataset": "digits", "architecture": architecture}},
        "recipes": {"fixed": {"quantize": "hgq"}},
        "targets": {"zynq": {"kind": "fpga"}, "cpp": {"kind": "fpga", "flow": "hls"}},
        "devices": {name: {"target": name, "transport": "virtual"} for name in ("zynq", "cpp")},
        "deployments": [{"model": "net", "recipe": "fixed", "devices": ["zynq", "cpp"]}],
    }
    found = list(lints(Plan(parse(raw)), fast=False))
    said = f"model net/fixed for target zynq: {severity}: the network: unrolled, its 7,400"
    assert [line.startswith(said) for line in found] == [True] * bool(severity)
