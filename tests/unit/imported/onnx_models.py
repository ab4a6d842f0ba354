"""Small ONNX models with random weights, as exporters write them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def save(
    path: Path,
    nodes: Sequence[Any],
    ends: tuple[Mapping[str, Any], Mapping[str, Any]],
    weights: Mapping[str, Any],
    *,
    dtype: int = TensorProto.FLOAT,
    opset: int = 17,
) -> Path:
    """Write a model.

    Args:
        path: file to write.
        nodes: of the graph.
        ends: shapes of inputs, of type `dtype`, and of outputs, float32.
        weights: arrays by name.
        dtype: of the inputs.
        opset: version of the operators.
    """
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        list(nodes),
        "net",
        [info(name, dtype, shape) for name, shape in ends[0].items()],
        [info(name, TensorProto.FLOAT, shape) for name, shape in ends[1].items()],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in weights.items()],
    )
    sets = [helper.make_opsetid("", opset)]
    onnx.save(helper.make_model(graph, opset_imports=sets, ir_version=8), path)
    return path


def draw(*shape: int) -> Any:
    return np.random.default_rng(0).normal(0, 0.2, shape).astype(np.float32)


def linear(path: Path, operator: str = "MatMul", opset: int = 17, domain: str = "") -> Path:
    """Write a model of one layer: (n, 64) to logits (n, 10)."""
    nodes = [helper.make_node(operator, ["input", "w"], ["logits"], domain=domain)]
    ends = ({"input": ["n", 64]}, {"logits": ["n", 10]})
    return save(path, nodes, ends, {"w": draw(64, 10)}, opset=opset)
