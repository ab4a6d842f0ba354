"""A .tflite as a list of layers, and which layers of two such lists are the same."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

_CASTS = frozenset({"QUANTIZE", "DEQUANTIZE", "DELEGATE"})
"""Operators that change how values are written down, not what they are."""

_CALLS = frozenset({"WHILE", "IF", "CALL", "CALL_ONCE"})

_VALUES = frozenset({"float32", "int8", "uint8", "int16"})
"""Types of activations; others are shapes, positions, or handles."""

_NO_NAMES = ("Identity", "StatefulPartitionedCall")
"""How TensorFlow calls what a function returns."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Layer:
    """One operator of the main graph.

    Attributes:
        name: that of the Keras layer, as far as the converter kept it; unique in the network.
        operator: LiteRT's name of it, for example ``CONV_2D``.
        tensor: name of the output tensor.
        output: index of the output tensor.
        inputs: indices of the activations and constants that it reads.
        shape: of the output.
    """

    name: str
    operator: str
    tensor: str
    output: int
    inputs: tuple[int, ...]
    shape: tuple[int, ...]


def open_graph(flatbuffer: bytes) -> Any:
    """Return an interpreter that keeps all tensors of a .tflite readable after a run."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=flatbuffer,
        num_threads=1,
        # A delegate computes in tensors of its own.
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    return interpreter


def callers(flatbuffer: bytes) -> list[str]:
    """Return the operators of a .tflite that run other graphs: loops, branches, calls."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=flatbuffer,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    names = (str(entry["op_name"]) for entry in interpreter._get_ops_details())
    return [name for name in names if name in _CALLS]


def layers(interpreter: Any) -> list[Layer]:
    """Return the layers of a network that compute with values, in the order in which they run."""
    tensors = {tensor["index"]: tensor for tensor in interpreter.get_tensor_details()}
    # LiteRT has no public list of operators; edgeflow's engine counts them the same way.
    operators = [
        (entry["op_name"], [int(i) for i in entry["inputs"] if i >= 0], int(entry["outputs"][0]))
        for entry in interpreter._get_ops_details()
        if entry["op_name"] not in _CASTS and len(entry["outputs"])
    ]
    operators = [entry for entry in operators if tensors[entry[2]]["dtype"].__name__ in _VALUES]
    computed = {output for _, _, output in operators}
    paths = [
        _path(
            operator,
            tensors[output]["name"],
            *(tensors[i]["name"] for i in inputs if i not in computed),
        )
        for operator, inputs, output in operators
    ]
    names = _unique(_short(paths))
    return [
        Layer(
            name=name,
            operator=operator,
            tensor=tensors[output]["name"],
            output=output,
            inputs=tuple(inputs),
            shape=tuple(int(size) for size in tensors[output]["shape"]),
        )
        for name, (operator, inputs, output) in zip(names, operators, strict=True)
    ]


def pairs(first: Sequence[Layer], second: Sequence[Layer]) -> list[tuple[Layer, Layer]]:
    """Return the layers that two forms of one network share, in order.

    Names do not count, as training with rounding and converters rename tensors: the longest runs
    of operators with equal output shapes are laid on each other.
    """
    matcher = SequenceMatcher(None, _kinds(first), _kinds(second), autojunk=False)
    return [
        (first[block.a + step], second[block.b + step])
        for block in matcher.get_matching_blocks()
        for step in range(block.size)
    ]


def _kinds(side: Sequence[Layer]) -> list[str]:
    return [f"{layer.operator} {layer.shape}" for layer in side]


def _path(operator: str, output: str, *constants: str) -> list[str]:
    """Return the path in an operator's name, which the converter fused from those of several.

    A tensor is named ``net/relu/Relu;net/norm/FusedBatchNorm;net/conv/Conv2D1``: the operator
    itself comes last, but for variables that it reads. The network's output has no such name, but
    its constants have.
    """
    names = (output, *reversed(constants))
    own, *others = (name.split(";")[-1].split("/ReadVariableOp")[0] for name in names)
    if own.startswith(_NO_NAMES):
        own = next((name for name in others if "/" in name), operator.lower())
    return own.split("/")


def _short(paths: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield a layer's name from each path, without the network's and the operator's."""
    tops = {path[0] for path in paths if len(path) > 1}
    shared = len(tops) == 1 and all(len(path) != 2 for path in paths)
    for path in paths:
        yield "/".join(path[int(shared and len(path) > 1) : -1]) or path[-1]


def _unique(names: Iterable[str]) -> list[str]:
    """Number the second and further layers of a name."""
    seen: Counter[str] = Counter()
    result = []
    for name in names:
        seen[name] += 1
        result.append(name if seen[name] == 1 else f"{name}:{seen[name]}")
    return result
