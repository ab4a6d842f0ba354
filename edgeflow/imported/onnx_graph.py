"""Rewrites of ONNX graphs: the part that the outputs need, fixed sizes, safe names."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from edgeflow.config.onnxfile import scopes
from edgeflow.dataset.tensors import INPUT
from edgeflow.errors import CompileError
from edgeflow.imported.ends import Inputs, Outputs, chosen_inputs, chosen_outputs
from edgeflow.imported.shapes import Sizes

SAFE = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_./-]*")
"""Names that TensorFlow takes for an operator."""
INTEGERS = ("INT8", "UINT8", "INT16", "UINT16", "INT32", "UINT32", "INT64", "UINT64")


def select(
    model: Any, given: Inputs, wanted: Outputs, dataset: Sequence[str] = (INPUT,)
) -> list[str]:
    """Cut a model down to some outputs and what they need, in place; return the outputs' names.

    Args:
        model: `onnx.ModelProto`; its inputs get the order of the dataset's.
        given: names of inputs, see `Request`; None also for the first of one.
        wanted: names of outputs or of any tensors within, see `Request`.
        dataset: names of the dataset's inputs.

    Raises:
        CompileError: there are several to choose from, there is none of that name, or an output
            needs other inputs too.
    """
    graph = model.graph
    inner = [name for node in graph.node for name in node.output if name]
    names = chosen_outputs([value.name for value in graph.output], wanted, inner)
    _keep_outputs(model, names)
    needed = _prune(graph, names)
    weights = {weight.name for weight in graph.initializer}
    inputs = {value.name: value for value in graph.input if value.name in needed - weights}
    if len(dataset) == 1 and given is None:
        given = next(iter(inputs), None)
    sources = chosen_inputs(list(inputs), given, dataset)
    others = [name for name in inputs if name not in sources]
    if others:
        raise CompileError(
            f"output {' or '.join(map(repr, names))} needs the inputs "
            f"{', '.join(map(repr, others))} beside {' and '.join(map(repr, sources))}",
            hint="only inputs of the dataset are fed: export the model with the others as "
            "constants, or choose an `output` that does without them",
        )
    del graph.input[:]
    graph.input.extend(inputs[name] for name in sources)
    return names


def _keep_outputs(model: Any, names: Sequence[str]) -> None:
    """Make tensors the outputs of a model."""
    import onnx

    graph = model.graph
    known = {value.name: value for value in graph.output}
    if not known.keys() >= set(names):
        inferred = onnx.shape_inference.infer_shapes(model).graph.value_info
        known = {**{value.name: value for value in inferred}, **known}
    kept = []
    for name in names:
        if name not in known or not known[name].type.tensor_type.elem_type:
            raise CompileError(
                f"type and shape of {name!r} are not known", hint="choose another output"
            )
        kept.append(onnx.ValueInfoProto.FromString(known[name].SerializeToString()))
    del graph.output[:]
    graph.output.extend(kept)


def _prune(graph: Any, outputs: Sequence[str]) -> set[str]:
    """Drop the nodes that outputs do not need, and return the names that they do need."""
    needed, kept = set(outputs), []
    for node in reversed(graph.node):
        if needed & set(node.output):
            kept.append(node)
            needed |= set(_reads(node))
    rest = [node.__class__.FromString(node.SerializeToString()) for node in reversed(kept)]
    weights = [weight for weight in graph.initializer if weight.name in needed]
    copies = [weight.__class__.FromString(weight.SerializeToString()) for weight in weights]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(rest)
    graph.initializer.extend(copies)
    return needed


def _reads(node: Any) -> Iterator[str]:
    """Yield the names that a node reads, also within its branches."""
    yield from node.input
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            yield from (value.name for value in graph.output)
            for inner in graph.node:
                yield from _reads(inner)


def sizes(value: Any) -> Sizes:
    """Return the sizes of an input, without the batch.

    Raises:
        CompileError: it states none.
    """
    if not value.type.tensor_type.HasField("shape"):
        raise CompileError(f"input {value.name!r} states no shape", hint="export it with a shape")
    dimensions = value.type.tensor_type.shape.dim[1:]
    return [each.dim_value if each.dim_value > 0 else None for each in dimensions]


def bind(model: Any, shapes: Sequence[Sequence[int]]) -> None:
    """Give the inputs static shapes, batch included, and forget the sizes that others had."""
    del model.graph.value_info[:]
    for value, shape in zip(model.graph.input, shapes, strict=True):
        dimensions = value.type.tensor_type.shape.dim
        for dimension, size in zip(dimensions, shape, strict=True):
            dimension.Clear()
            dimension.dim_value = size
    for value in model.graph.output:
        for dimension in value.type.tensor_type.shape.dim:
            dimension.Clear()


def take_float(model: Any) -> None:
    """Make the inputs float32, which are cast to what the model takes.

    Raises:
        CompileError: one takes no numbers.
    """
    for value in model.graph.input:
        _take_float(model, value)


def _take_float(model: Any, value: Any) -> None:
    import onnx

    types = onnx.TensorProto.DataType
    dtype = value.type.tensor_type.elem_type
    if dtype == types.FLOAT:
        return
    if types.Name(dtype) not in (*INTEGERS, "FLOAT16", "DOUBLE"):
        raise CompileError(
            f"input {value.name!r} takes {types.Name(dtype).lower()}, samples are numbers",
            hint="export the model with a float32 input",
        )
    inside = f"{value.name}_cast"
    for scope in scopes(model):
        for node in scope.node:
            names = [inside if name == value.name else name for name in node.input]
            del node.input[:]
            node.input.extend(names)
    value.type.tensor_type.elem_type = types.FLOAT
    model.graph.node.insert(0, onnx.helper.make_node("Cast", [value.name], [inside], to=dtype))


def drop_identities(model: Any) -> None:
    """Drop what changes nothing at these sizes: the converter may take its axes for others.

    Args:
        model: with the shapes of its tensors, and weights as initializers.
    """
    graph = model.graph
    if any(attribute.g.node for node in graph.node for attribute in node.attribute):
        return  # branches read names of the graph around them
    shapes = {value.name: _shape(value) for value in (*graph.value_info, *graph.input)}
    outputs = {value.name for value in graph.output}
    same: dict[str, str] = {}
    kept = []
    for node in graph.node:
        names = [same.get(name, name) for name in node.input]
        del node.input[:]
        node.input.extend(names)
        known = shapes.get(names[0]) if names else None
        equal = known is not None and known == shapes.get(node.output[0])
        if equal and node.output[0] not in outputs and _is_plain(node, graph):
            same[node.output[0]] = names[0]
        else:
            kept.append(node.__class__.FromString(node.SerializeToString()))
    del graph.node[:]
    graph.node.extend(kept)


def _shape(value: Any) -> tuple[int, ...] | None:
    """Return a static shape, or None."""
    shape = value.type.tensor_type.shape.dim
    static = all(each.dim_value > 0 for each in shape)
    return tuple(each.dim_value for each in shape) if static else None


def _is_plain(node: Any, graph: Any) -> bool:
    """Return whether a node hands its input on if the shape stays the same."""
    import onnx

    if node.op_type in ("Reshape", "Expand", "Identity"):
        return True
    if node.op_type != "Slice":
        return False
    if len(node.input) < 5:
        return True
    weights = {weight.name: weight for weight in graph.initializer}
    steps = weights.get(node.input[4])
    return steps is not None and bool((onnx.numpy_helper.to_array(steps) > 0).all())


def rename(model: Any) -> None:
    """Give all tensors and nodes of a model without functions names that TensorFlow takes."""
    names = _Names()
    for scope in scopes(model):
        for node in scope.node:
            node.name = names.safe(node.name)
            for listed in (node.input, node.output):
                fresh = [names.safe(name) for name in listed]
                del listed[:]
                listed.extend(fresh)
        for values in (scope.input, scope.output, scope.value_info, scope.initializer):
            for value in values:
                value.name = names.safe(value.name)


class _Names:
    """Safe names by the file's own; equal ones stay equal, and others different."""

    def __init__(self) -> None:
        self._safe: dict[str, str] = {"": ""}
        self._taken: set[str] = set()

    def safe(self, name: str) -> str:
        if name not in self._safe:
            plain = name if SAFE.fullmatch(name) else "n" + re.sub(r"[^A-Za-z0-9_.-]", "_", name)
            while plain in self._taken:
                plain += "_"
            self._safe[name] = plain
            self._taken.add(plain)
        return self._safe[name]
