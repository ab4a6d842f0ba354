"""A function and its weights as one graph of constants, the same bytes for the same function."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any


def frozen(function: Callable[[Any], Any], shape: tuple[int, ...]) -> bytes:
    """Return the graph of a function, with input `input` and output `Identity`.

    Args:
        function: from a float32 tensor to one tensor.
        shape: of its argument.
    """
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    signature = tf.TensorSpec(shape, tf.float32, name="input")
    concrete = tf.function(function).get_concrete_function(signature)
    graph = convert_variables_to_constants_v2(concrete, lower_control_flow=False).graph
    plain = _plain(graph.as_graph_def())
    text: bytes = plain.SerializeToString(deterministic=True)
    return text


def _plain(graph: Any) -> Any:
    """Return the nodes that the output needs, in an order and with names that depend on it alone.

    Constants are named by a counter of the process, and stand in no order.
    """
    import tensorflow as tf

    nodes = {node.name: node for node in graph.node}
    result = tf.compat.v1.GraphDef(versions=graph.versions, library=graph.library)
    names: dict[str, str] = {}
    for name in _needed(nodes, "Identity"):
        node = result.node.add()
        node.CopyFrom(nodes[name])
        node.name = names[name] = f"constant_{len(names)}" if name.isdigit() else name
        renamed = [_renamed(part, names) for part in _data(node)]
        del node.input[:]
        node.input.extend(renamed)
    return result


def _needed(nodes: Mapping[str, Any], output: str) -> Iterator[str]:
    """Yield the names of a node and all that it reads, each after what it reads itself."""
    done, stack = set(), [(output, False)]
    while stack:
        name, ready = stack.pop()
        if name in done:
            continue
        if ready:
            done.add(name)
            yield name
        else:
            stack.append((name, True))
            stack += [(part.partition(":")[0], False) for part in reversed(_data(nodes[name]))]


def _data(node: Any) -> list[str]:
    """Return what a node reads; without variables, the order of execution needs no more edges."""
    return [part for part in node.input if not part.startswith("^")]


def _renamed(part: str, names: Mapping[str, str]) -> str:
    name, colon, port = part.partition(":")
    return names[name] + colon + port
