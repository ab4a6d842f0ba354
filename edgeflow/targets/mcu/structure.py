"""What must hold between the nodes and tensors of any network."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from edgeflow.errors import CompileError
from edgeflow.targets.mcu.flatbuffer import damaged
from edgeflow.targets.mcu.graph import ABSENT, Graph, Node, Tensor


def check_places(graph: Graph) -> None:
    """Raise if something refers to a tensor that is not there."""
    inputs = [place for node in graph.nodes for place in node.inputs if place != ABSENT]
    outputs = [place for node in graph.nodes for place in node.outputs]
    for place in (*inputs, *outputs, *graph.inputs, *graph.outputs):
        if not 0 <= place < len(graph.tensors):
            raise damaged(f"tensor {place} of {len(graph.tensors)}")


def check_order(graph: Graph) -> None:
    """Raise if not every tensor is written once, and before it is read."""
    ready = {place for place, tensor in enumerate(graph.tensors) if _is_given(tensor)}
    if not graph.inputs or ready & {*graph.inputs} or len({*graph.inputs}) < len(graph.inputs):
        raise damaged("the network has no inputs, or one is a constant or comes twice")
    given = ready | {*graph.inputs}
    ready = set(given)
    _check_states(graph)
    for node in graph.nodes:
        if not {place for place in node.inputs if place != ABSENT} <= ready:
            raise damaged(f"{node.operator} {node.index} reads what nothing has written before")
        if not node.outputs or ready & {*node.outputs} or _repeat(node.outputs):
            raise damaged(f"{node.operator} {node.index} writes nothing, or again")
        ready |= {*node.outputs}
    if not graph.outputs or _repeat(graph.outputs) or not {*graph.outputs} <= ready - given:
        raise CompileError(
            "an output of the network is an input or a constant, or comes twice, or there is none",
            hint="let each output be computed by an operator, and name it once",
        )


def _check_states(graph: Graph) -> None:
    """Raise if operators share a state: each begins an inference with its own at zero."""
    states = {place for place, tensor in enumerate(graph.tensors) if tensor.variable}
    reads = Counter(place for node in graph.nodes for place in node.inputs if place in states)
    shared = [place for place, count in reads.items() if count > 1]
    if shared:
        raise damaged(f"tensor {shared[0]} is the state of {reads[shared[0]]} operators")


def _is_given(tensor: Tensor) -> bool:
    return tensor.data is not None or tensor.variable or tensor.size == 0


def _repeat(places: Sequence[int]) -> bool:
    return len({*places}) < len(places)


def without_float_edges(graph: Graph) -> Graph:
    """Return a graph that takes and gives int8."""
    edges = {node.index: node for node in _float_edges(graph)}
    pairs = [(node.operator, node.inputs[0], node.outputs[0]) for node in edges.values()]
    ahead = {source: target for operator, source, target in pairs if operator == "QUANTIZE"}
    behind = {target: source for operator, source, target in pairs if operator == "DEQUANTIZE"}
    return replace(
        graph,
        nodes=tuple(node for node in graph.nodes if node.index not in edges),
        inputs=tuple(ahead.get(place, place) for place in graph.inputs),
        outputs=tuple(behind.get(place, place) for place in graph.outputs),
    )


def _float_edges(graph: Graph) -> Iterator[Node]:
    """Yield what stands alone between a float input or output and an int8 tensor."""
    readers = Counter(place for node in graph.nodes for place in node.inputs)
    for node in graph.nodes:
        if len(node.inputs) != 1 or len(node.outputs) != 1:
            continue
        source, target = node.inputs[0], node.outputs[0]
        ahead = node.operator == "QUANTIZE" and source in graph.inputs and readers[source] == 1
        behind = node.operator == "DEQUANTIZE" and target in graph.outputs and not readers[target]
        dtypes = ("float32", "int8") if ahead else ("int8", "float32")
        tensors = graph.tensors[source], graph.tensors[target]
        same_shape = tensors[0].shape == tensors[1].shape
        if (ahead or behind) and same_shape and (tensors[0].dtype, tensors[1].dtype) == dtypes:
            yield node
