"""One order and one set of names for an ONNX graph: converters number theirs by chance."""

import re
from collections.abc import Iterable
from typing import Any

from edgeflow.errors import CompileError

_COUNTER = re.compile(r"(__\d+)+(:\d+)?$")
"""What tf2onnx adds to the name of a layer, counted over all that it ever made."""


def canonical(graph: Any) -> None:
    """Order the nodes and constants of a graph, and name them by layer and place.

    Inputs and outputs keep their names. Nodes stand as they are reached from the outputs, each
    after what it reads.

    Args:
        graph: an `onnx.GraphProto`, changed in place.

    Raises:
        CompileError: it branches or loops, so that nodes read what is not in their graph.
    """
    if any(attribute.HasField("g") for node in graph.node for attribute in node.attribute):
        raise CompileError(
            "the network branches or loops", hint="use a network without control flow"
        )
    nodes = _ordered(graph)
    names = _names(graph, nodes)
    kept = {one.name: one for one in graph.initializer}
    constants = [kept[old] for old in names if old in kept]
    for index, node in enumerate(nodes):
        node.name = f"{index}:{_layer(node.name) or node.op_type}"
        _rename(node.input, names)
        _rename(node.output, names)
    for constant in constants:
        constant.name = names[constant.name]
    _replace(graph.node, nodes)
    _replace(graph.initializer, constants)
    del graph.value_info[:]


def _ordered(graph: Any) -> list[Any]:
    """Return the nodes that outputs need, each after those that it reads from."""
    makers = {output: node for node in graph.node for output in node.output}
    ordered: list[Any] = []
    done: set[str] = set()
    waiting = [output.name for output in reversed(graph.output)]
    while waiting:
        node = makers.get(waiting[-1])
        if node is None or node.output[0] in done:
            waiting.pop()
            continue
        needed = [name for name in node.input if name in makers]
        missing = [name for name in needed if makers[name].output[0] not in done]
        if missing:
            waiting.extend(reversed(missing))
        else:
            waiting.pop()
            done.add(node.output[0])
            ordered.append(node)
    return ordered


def _names(graph: Any, nodes: Iterable[Any]) -> dict[str, str]:
    """Return new names of tensors, in the order in which nodes read and write them."""
    kept = {one.name for one in (*graph.input, *graph.output)}
    constants = {one.name for one in graph.initializer}
    used = dict.fromkeys(
        name for node in nodes for name in (*node.input, *node.output) if name and name not in kept
    )
    return {
        name: f"constant:{place}" if name in constants else f"tensor:{place}"
        for place, name in enumerate(used)
    }


def _layer(name: str) -> str:
    return _COUNTER.sub("", name)


def _rename(tensors: Any, names: dict[str, str]) -> None:
    for place, name in enumerate(tensors):
        tensors[place] = names.get(name, name)


def _replace(field: Any, messages: list[Any]) -> None:
    copies = [type(one).FromString(one.SerializeToString()) for one in messages]
    del field[:]
    field.extend(copies)
