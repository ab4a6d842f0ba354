"""Ranges of a network's activations, and the int8 network that follows from them."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgeflow.config.recipe import Calibration
from edgeflow.dataset.tensors import Tensors
from edgeflow.errors import CompileError
from edgeflow.exported.quantized import quantize
from edgeflow.exported.ranges import ranges_of

WEIGHTS = np.array([[1.0, -0.02], [0.5, 0.01], [-1.0, 0.02]], np.float32)


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """Three inputs, a dense layer of two, ReLU."""
    nodes = [helper.make_node("Gemm", ["x", "w"], ["h"]), helper.make_node("Relu", ["h"], ["y"])]
    ends = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, size])]
        for name, size in (("x", 3), ("y", 2))
    ]
    graph = helper.make_graph(nodes, "g", *ends, [numpy_helper.from_array(WEIGHTS, "w")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "model.onnx")
    return tmp_path / "model.onnx"


SAMPLES = np.array([[1, 2, 3], [4, 0, -8], [0.5, 0.5, 0.5]], np.float32)


def test_ranges_hold_all_values_and_zero(network: Path) -> None:
    found = ranges_of(network, Tensors({"input": SAMPLES}), Calibration())
    inner = SAMPLES @ WEIGHTS
    assert set(found) == {"x", "h", "y"}
    assert found["x"] == (-8, 4)
    np.testing.assert_allclose(found["h"], (inner.min(), inner.max()), rtol=1e-6)
    np.testing.assert_allclose(found["y"], (0, inner.max()), rtol=1e-6)


def test_percentiles_are_means_over_samples_but_for_outputs(network: Path) -> None:
    calibration = Calibration(method="percentile", percentile=60)
    found = ranges_of(network, Tensors({"input": SAMPLES}), calibration)
    low, high = np.percentile(SAMPLES, (20, 80), axis=1)
    np.testing.assert_allclose(found["x"], (low.mean(), high.mean()), rtol=1e-6)
    np.testing.assert_allclose(found["y"], (0, (SAMPLES @ WEIGHTS).max()), rtol=1e-6)


def scales(model: Any) -> dict[str, Any]:
    return {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}


def test_int8_weights_are_per_channel_and_of_7_bits_where_asked(
    network: Path, tmp_path: Path
) -> None:
    ranges = {"x": (-8.0, 4.0), "h": (-3.0, 12.0), "y": (0.0, 12.0)}
    largest = {}
    for reduce_range in (False, True):
        quantize(network, tmp_path / "out.onnx", ranges, reduce_range=reduce_range)
        model = onnx.load(tmp_path / "out.onnx")
        (weights,) = (w for w in scales(model).values() if w.dtype == np.int8 and w.ndim == 2)
        largest[reduce_range] = np.abs(weights.astype(int)).max(axis=0).tolist()
        assert {n.op_type for n in model.graph.node} >= {"QuantizeLinear", "DequantizeLinear"}
    assert largest == {False: [127, 127], True: [64, 64]}


def test_symmetric_activations_have_the_scale_of_the_larger_end(
    network: Path, tmp_path: Path
) -> None:
    ranges = {"x": (-8.0, 4.0), "h": (-3.0, 12.0), "y": (0.0, 12.0)}
    quantize(network, tmp_path / "out.onnx", ranges, symmetric=True)
    found = scales(onnx.load(tmp_path / "out.onnx"))
    assert found["x_zero_point"] == 0
    assert found["x_scale"] == np.float32(8 / 127)


def test_a_network_without_its_ranges_is_refused(network: Path, tmp_path: Path) -> None:
    with pytest.raises(CompileError, match="cannot quantize") as caught:
        quantize(network, tmp_path / "out.onnx", {"x": (-1.0, 1.0)})
    assert caught.value.hint
