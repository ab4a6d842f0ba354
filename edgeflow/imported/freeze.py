"""A function and its weights as one graph of constants, the same bytes for the same function."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from edgeflow.compress.source import signature
from edgeflow.dataset.tensors import OUTPUT, numbered


def frozen(function: Callable[..., list[Any]], shapes: Sequence[tuple[int, ...]]) -> bytes:
    """Return the graph of a function.

    Its one input is `input`, its one output `Identity`; several are `input_00`, `input_01`, and
    `output_00`, `output_01`, by position.

    Args:
        function: from float32 tensors to a list of tensors.
        shapes: of its arguments.
    """
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    concrete = tf.function(function).get_concrete_function(*signature(shapes))
    made = convert_variables_to_constants_v2(concrete, lower_control_flow=False)
    definition = made.graph.as_graph_def()
    outputs = [tensor.op.name for tensor in made.outputs]
    if len(outputs) > 1:
        names = numbered(OUTPUT, len(outputs))
        for tensor, name in zip(made.outputs, names, strict=True):
            node = definition.node.add(name=name, op="Identity", input=[tensor.name])
            node.attr["T"].type = tensor.dtype.as_datatype_enum
        outputs = names
    plain = _plain(definition, outputs)
    text: bytes = plain.SerializeToString(deterministic=True)
    return text


def _plain(graph: Any, outputs: Sequence[str]) -> Any:
    """Return the nodes that the outputs need, in an order and with names that depend on it alone.

    Constants are named by a counter of the process, and stand in no order.
    """
    import tensorflow as tf

    nodes = {node.name: node for node in graph.node}
    result = tf.compat.v1.GraphDef(versions=graph.versions, library=graph.library)
    names: dict[str, str] = {}
    for name in _needed(nodes, outputs):
        node = result.node.add()
        node.CopyFrom(nodes[name])
        node.name = names[name] = f"constant_{len(names)}" if name.isdigit() else name
        renamed = [_renamed(part, names) for part in _data(node)]
        del node.input[:]
        node.input.extend(renamed)
    return result


def _needed(nodes: Mapping[str, Any], outputs: Sequence[str]) -> Iterator[str]:
    """Yield the names of nodes and all that they read, each after what it reads itself."""
    done, stack = set(), [(output, False) for output in reversed(outputs)]
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
