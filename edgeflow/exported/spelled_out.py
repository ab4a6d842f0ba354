"""Operators that tf2onnx leaves as they are, as ones that ONNX has in the opset asked for."""

from collections.abc import Callable, Iterator
from math import pi, sqrt
from typing import Any

HARD_SWISH_SINCE = 14
Step = tuple[str, tuple[str | float, ...], str]
"""Operator, inputs and output: names, of which ``x`` and ``y`` are the ends, and numbers."""


def spell_out(graph: Any, opset: int) -> None:
    """Replace operators that ONNX does not have, or only has in later opsets.

    Args:
        graph: an `onnx.GraphProto`, changed in place.
        opset: version of ONNX's operators.
    """
    from onnx import numpy_helper

    late = {"HardSwish"} if opset < HARD_SWISH_SINCE else set()
    meant = {node.output[0] for node in graph.node if node.op_type in late | SPELLED_OUT}
    if not meant:
        return
    numbers: dict[str, float] = {}
    nodes = [made for node in graph.node for made in _made(node, meant, numbers)]
    copies = [type(node).FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)
    graph.initializer.extend(
        numpy_helper.from_array(_scalar(number), name) for name, number in numbers.items()
    )


def _made(node: Any, meant: set[str], numbers: dict[str, float]) -> Iterator[Any]:
    """Yield what stands in the place of a node; `numbers` gets the constants, by name."""
    from onnx import helper

    if node.output[0] not in meant:
        yield node
        return
    (x,), (y,) = node.input, node.output
    for kind, inputs, output in _STEPS[node.op_type](node):
        names = [_named(one, x, y, numbers) for one in inputs]
        yield helper.make_node(kind, names, [_named(output, x, y, numbers)], name=node.name)


def _named(one: str | float, x: str, y: str, numbers: dict[str, float]) -> str:
    """Return the name of a tensor; that of a number is shared by all nodes."""
    if isinstance(one, str):
        return {"x": x, "y": y}.get(one, f"{y}:{one}")
    name = f"constant:{one!r}"
    numbers[name] = one
    return name


def _scalar(number: float) -> Any:
    import numpy as np

    return np.array(number, np.float32)


def _hard_swish(node: Any) -> list[Step]:  # noqa: ARG001  # as the others
    """Return x * clip(x + 3, 0, 6) / 6."""
    return [
        ("Add", ("x", 3.0), "moved"),
        ("Clip", ("moved", 0.0, 6.0), "clipped"),
        ("Mul", ("x", "clipped"), "product"),
        ("Div", ("product", 6.0), "y"),
    ]


def _gelu(node: Any) -> list[Step]:
    """Return x / 2 * (1 + erf(x / √2)), or the form by tanh (Hendrycks & Gimpel, 2016)."""
    share = _by_tanh() if _approximate(node) else _by_erf()
    return [
        *share,
        ("Add", ("share", 1.0), "doubled"),
        ("Mul", ("x", 0.5), "half"),
        ("Mul", ("half", "doubled"), "y"),
    ]


def _approximate(node: Any) -> bool:
    return any(one.name == "approximate" and one.i for one in node.attribute)


def _by_erf() -> list[Step]:
    return [("Mul", ("x", sqrt(0.5)), "scaled"), ("Erf", ("scaled",), "share")]


def _by_tanh() -> list[Step]:
    """Return tanh(√(2/π) * (x + 0.044715 x³)), with x factored out."""
    return [
        ("Mul", ("x", "x"), "square"),
        ("Mul", ("square", 0.044715), "bent"),
        ("Add", ("bent", 1.0), "slope"),
        ("Mul", ("x", "slope"), "moved"),
        ("Mul", ("moved", sqrt(2 / pi)), "scaled"),
        ("Tanh", ("scaled",), "share"),
    ]


def _clip(node: Any) -> list[Step]:  # noqa: ARG001  # as the others
    return [("Clip", ("x", -1.0, 1.0), "y")]


_STEPS: dict[str, Callable[[Any], list[Step]]] = {
    "HardSwish": _hard_swish,
    "TFL_GELU": _gelu,
    "TFL_RELU_N1_TO_1": _clip,
}
SPELLED_OUT = frozenset(_STEPS) - {"HardSwish"}
"""Operators without any form in tf2onnx, by the names that it gives them."""
