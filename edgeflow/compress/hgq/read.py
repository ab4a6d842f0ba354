"""Reads a network of Keras 2 as a graph of layers that HGQ2 has."""

from typing import Any

from edgeflow.compress.hgq.forms import FORMS
from edgeflow.compress.hgq.graph import Builder, Graph, UnknownError
from edgeflow.compress.plain import plain
from edgeflow.errors import CompileError


def require_known(title: str, keras: Any, model: Any) -> None:
    """Refuse a network with layers that HGQ2 has no fixed-point form for.

    Raises:
        CompileError: it has some; they are named.
    """
    unknown = read_graph(keras, model).unknown
    if unknown:
        raise CompileError(
            f"{title}: high-granularity quantization has no fixed-point form of "
            + ", ".join(dict.fromkeys(unknown)),
            hint="build the network of the layers that docs/recipes.md lists for `hgq`, or use a "
            "recipe with another `quantize`",
        )


def read_graph(keras: Any, model: Any) -> Graph:
    """Return a network of Keras 2 as a graph, normalizations folded into what they follow."""
    import tensorflow as tf

    builder, model = Builder(keras), plain(keras, model)
    made: dict[int, str] = {}
    unknown: list[str] = []
    depths = model._nodes_by_depth
    for node in (node for depth in sorted(depths, reverse=True) for node in depths[depth]):
        layer, given = node.layer, tf.nest.flatten(node.keras_inputs)
        try:
            name = _add(builder, layer, [made[id(tensor)] for tensor in given])
        except UnknownError as reason:
            unknown.append(f"{layer.name} ({type(layer).__name__}{reason})")
            name = builder.add(layer.name, "Unknown")
        made.update((id(one), name) for one in tf.nest.flatten(node.outputs))
    places = {tensor.node.layer.name: place for place, tensor in enumerate(model.inputs)}
    ordered = sorted(builder.nodes.values(), key=lambda node: places.get(node.name, len(places)))
    return Graph(ordered, [made[id(tensor)] for tensor in model.outputs], unknown)


def _add(builder: Builder, layer: Any, given: list[str]) -> str:
    form, uses = FORMS.get(type(layer).__name__), len(layer.inbound_nodes)
    if form is None:
        raise UnknownError
    if layer.weights and uses > 1:
        raise UnknownError(", used more than once")
    return form(builder, layer, given)
