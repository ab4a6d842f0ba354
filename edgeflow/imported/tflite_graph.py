"""Rewrites of a .tflite: the part that the outputs need, fixed sizes, no sizes of 1 too many."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any


def prune(model: Any, outputs: Sequence[int]) -> list[int]:
    """Cut the main graph down to what some tensors need, in place.

    Args:
        model: `ModelT`.
        outputs: places of the tensors.

    Returns:
        The inputs that they need, by place.
    """
    graph = model.subgraphs[0]
    needed, kept = set(outputs), []
    for operator in reversed(graph.operators):
        if needed & set(operator.outputs):
            kept.append(operator)
            needed |= {int(index) for index in operator.inputs if index >= 0}
    graph.operators = kept[::-1]
    graph.inputs = [int(index) for index in graph.inputs if index in needed]
    graph.outputs = list(outputs)
    model.signatureDefs = None  # they name what is gone
    _forget(model, needed | {int(i) for operator in kept for i in operator.outputs})
    _drop_unused_codes(model)
    return list(graph.inputs)


def _forget(model: Any, needed: set[int]) -> None:
    """Empty the buffers of tensors that no operator reads any more."""
    others = [tensor for graph in model.subgraphs[1:] for tensor in graph.tensors]
    tensors = model.subgraphs[0].tensors
    used = {tensors[index].buffer for index in needed} | {tensor.buffer for tensor in others}
    for index, tensor in enumerate(tensors):
        if index not in needed and tensor.buffer not in used:
            model.buffers[tensor.buffer].data = None


def _drop_unused_codes(model: Any) -> None:
    """Drop the kinds of operators that are gone: an interpreter asks for each that is listed."""
    operators = [operator for graph in model.subgraphs for operator in graph.operators]
    used = sorted({operator.opcodeIndex for operator in operators})
    model.operatorCodes = [model.operatorCodes[index] for index in used]
    for operator in operators:
        operator.opcodeIndex = used.index(operator.opcodeIndex)


def fix_sizes(model: Any, sizes: Mapping[int, Sequence[int]]) -> None:
    """Give the tensors of the main graph their sizes for one sample.

    Args:
        model: `ModelT`.
        sizes: by the place of the tensor.
    """
    for index, tensor in enumerate(model.subgraphs[0].tensors):
        if index in sizes:
            tensor.shape, tensor.shapeSignature = list(sizes[index]), None


def reshape_input(model: Any, position: int, shape: Sequence[int]) -> None:
    """Make an input one of another shape with the same values."""
    graph = model.subgraphs[0]
    inside = int(graph.inputs[position])
    outside = _like(graph, inside, shape)
    graph.operators.insert(0, _reshape(model, outside, inside))
    graph.inputs[position] = outside


def reshape_output(model: Any, shape: Sequence[int]) -> None:
    """Make the first output one of another shape with the same values."""
    graph = model.subgraphs[0]
    inside = int(graph.outputs[0])
    outside = _like(graph, inside, shape)
    graph.operators.append(_reshape(model, inside, outside))
    graph.outputs[0] = outside


def _like(graph: Any, index: int, shape: Sequence[int]) -> int:
    """Add a tensor of the type and scale of another, which hands its name over to it."""
    inner = graph.tensors[index]
    outer = copy.copy(inner)
    outer.shape, outer.shapeSignature, outer.buffer = list(shape), None, 0
    inner.name = inner.name + b"_inside"
    graph.tensors.append(outer)
    return len(graph.tensors) - 1


def _reshape(model: Any, source: int, sink: int) -> Any:
    import numpy as np
    from ai_edge_litert import schema_py_generated as schema

    graph = model.subgraphs[0]
    shape = np.asarray(graph.tensors[sink].shape, np.int32)
    buffer = schema.BufferT()
    buffer.data = shape.view(np.uint8)
    model.buffers.append(buffer)
    sizes = schema.TensorT()
    sizes.name, sizes.type = graph.tensors[sink].name + b"_shape", schema.TensorType.INT32
    sizes.shape, sizes.buffer = [len(shape)], len(model.buffers) - 1
    graph.tensors.append(sizes)
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.RESHAPE
    code.version = 1
    model.operatorCodes.append(code)
    operator = schema.OperatorT()
    operator.opcodeIndex = len(model.operatorCodes) - 1
    operator.inputs, operator.outputs = [source, len(graph.tensors) - 1], [sink]
    operator.builtinOptionsType = schema.BuiltinOptions.ReshapeOptions
    operator.builtinOptions = schema.ReshapeOptionsT()
    operator.builtinOptions.newShape = shape
    return operator
