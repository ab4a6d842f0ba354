"""Operators that ONNX got later than in the opset asked for, as the ones that it had before."""

from collections.abc import Iterator
from typing import Any

HARD_SWISH_SINCE = 14


def spell_out(graph: Any, opset: int) -> None:
    """Replace operators that an opset has not; tf2onnx leaves them as they are.

    Args:
        graph: an `onnx.GraphProto`, changed in place.
        opset: version of ONNX's operators.
    """
    from onnx import numpy_helper

    late = {node.output[0] for node in graph.node if node.op_type == "HardSwish"}
    if opset >= HARD_SWISH_SINCE or not late:
        return
    nodes = [made for node in graph.node for made in _made(node, late)]
    copies = [type(node).FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)
    graph.initializer.extend(numpy_helper.from_array(*one) for one in _constants())


def _made(node: Any, late: set[str]) -> Iterator[Any]:
    """Yield x * clip(x + 3, 0, 6) / 6 in the place of HardSwish, and other nodes as they are."""
    from onnx import helper

    if node.output[0] not in late:
        yield node
        return
    (x,), (y,) = node.input, node.output
    steps = [
        ("Add", [x, "hard_swish:3"], f"{y}:moved"),
        ("Clip", [f"{y}:moved", "hard_swish:0", "hard_swish:6"], f"{y}:clipped"),
        ("Mul", [x, f"{y}:clipped"], f"{y}:product"),
        ("Div", [f"{y}:product", "hard_swish:6"], y),
    ]
    for kind, inputs, output in steps:
        yield helper.make_node(kind, inputs, [output], name=node.name)


def _constants() -> list[tuple[Any, str]]:
    import numpy as np

    return [(np.array(number, np.float32), f"hard_swish:{number}") for number in (0, 3, 6)]
