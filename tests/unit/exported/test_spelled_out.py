"""Operators that an old opset has not are written with those that it has."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from edgeflow.exported.canonical import canonical
from edgeflow.exported.spelled_out import spell_out


@pytest.mark.parametrize("opset", [11, 14])
def test_hard_swish_is_the_same_function_in_every_opset(opset: int) -> None:
    nodes = [helper.make_node("HardSwish", [a], [b], name=b) for a, b in ("xy", "yz")]
    nodes.append(helper.make_node("Neg", ["z"], ["end"]))
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 9]) for name in ("x", "end")]
    graph = helper.make_graph(nodes, "net", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    spell_out(model.graph, opset)
    canonical(model.graph)
    onnx.checker.check_model(model, full_check=True)
    assert [node.op_type for node in model.graph.node].count("HardSwish") == (0, 2)[opset >= 14]
    x = np.linspace(-5, 5, 9, dtype=np.float32)[None]
    (found,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})
    wanted = x.astype(np.float64)
    for _ in range(2):
        wanted = wanted * np.clip(wanted + 3, 0, 6) / 6
    np.testing.assert_allclose(found, -wanted, rtol=1e-5, atol=1e-6)
