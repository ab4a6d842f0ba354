"""The order and names of an ONNX graph."""

from typing import Any

import pytest
from onnx import TensorProto, helper

from edgeflow.errors import CompileError
from edgeflow.exported.canonical import canonical


def graph(order: list[int], count: int) -> Any:
    """Return y = relu(x + one) * two, as a converter that counts from `count` might write it."""
    first, second = f"layer/add__{count}:0", f"layer/relu__{count + 5}"
    nodes = [
        helper.make_node("Add", ["x", f"one__{count}"], [first], name=f"layer/add__{count}"),
        helper.make_node("Relu", [first], [second], name=f"layer/relu__{count + 5}"),
        helper.make_node("Mul", [second, f"two__{count}"], ["y"]),
        helper.make_node("Neg", ["x"], ["unused"]),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"]
    constants = [
        helper.make_tensor(f"{name}__{count}", TensorProto.FLOAT, [1], [value])
        for name, value in (("one", 1.0), ("two", 2.0))
    ]
    picked = [nodes[place] for place in order]
    return helper.make_graph(picked, "net", ends[:1], ends[1:], constants[:: 1 - 2 * (count % 2)])


def test_chance_leaves_no_trace() -> None:
    one, two = graph([0, 1, 2, 3], 12), graph([3, 2, 0, 1], 7)
    for each in (one, two):
        canonical(each)
    assert one == two
    assert [node.name for node in one.node] == ["0:layer/add", "1:layer/relu", "2:Mul"]
    assert [one.node[0].input[0], one.node[2].output[0]] == ["x", "y"]


def test_long_chains_are_no_recursion() -> None:
    nodes = [helper.make_node("Neg", [f"t{i}"], [f"t{i + 1}"]) for i in range(5000)]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("t0", "t5000")]
    chain = helper.make_graph(nodes[::-1], "net", ends[:1], ends[1:])
    canonical(chain)
    assert [len(chain.node), chain.node[-1].output[0]] == [5000, "t5000"]


def test_a_branch_is_refused() -> None:
    inner = helper.make_graph([], "inner", [], [])
    nodes = [helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=inner)]
    with pytest.raises(CompileError, match="branches or loops"):
        canonical(helper.make_graph(nodes, "net", [], []))
