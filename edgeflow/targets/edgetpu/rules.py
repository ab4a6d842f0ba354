"""What the compiler asks of each operator: why it would stay on the CPU, whatever stands around it.

Unless a comment says otherwise, limits are those of the table "Supported operations" of
coral.ai/docs/edgetpu/models-intro.
"""

from collections.abc import Callable, Iterator

from edgeflow.targets.edgetpu.sizes import SOFTMAX_BYTES, SOFTMAX_ROW, size_limit
from edgeflow.targets.edgetpu.versions import RUNTIME, SOFTMAX_VALUES
from edgeflow.targets.graph import Graph, Node, Tensor

EIGHT_BITS = frozenset({"int8", "uint8"})
INNER = 3
"""Innermost dimensions that may be larger than 1."""

COMPILED = "edgetpu-custom-op"
"""The operator that stands for all that was mapped, in files that the compiler wrote."""

Rule = Callable[[Graph, Node, int], Iterator[str]]
"""Yields reasons, given the graph, an operator, and the oldest runtime that must run it."""


def refusal(graph: Graph, node: Node, runtime: int) -> str:
    """Return why an operator cannot be mapped; empty where it can."""
    return next(_reasons(graph, node, runtime), "")


def _reasons(graph: Graph, node: Node, runtime: int) -> Iterator[str]:
    if node.name == COMPILED:
        yield "is what the compiler made of a network: lint the .tflite that it was made of"
        return
    if node.custom or node.name not in RUNTIME:
        yield "the Edge TPU has no such operator"
        return
    if RUNTIME[node.name] > runtime:
        yield f"it takes runtime {RUNTIME[node.name]}, and `min_runtime_version` is {runtime}"
    if not graph.reads(node) or not node.outputs:
        yield "reads or writes nothing"
        return
    yield from _types(graph, node)
    yield from _ranks(graph, node)
    for rule in RULES.get(node.name, ()):
        yield from rule(graph, node, runtime)
    yield from size_limit(graph, node)


def _computed(graph: Graph, node: Node) -> list[Tensor]:
    """Return the tensors that an operator works on: not its constants, nor its states."""
    tensors = [*graph.reads(node), *graph.writes(node)]
    return [one for one in tensors if not one.constant and not one.variable]


def _types(graph: Graph, node: Node) -> Iterator[str]:
    others = [one for one in _computed(graph, node) if one.dtype not in EIGHT_BITS]
    if others:
        yield f"works on {others[0].dtype}, and the Edge TPU on int8 and uint8 alone"
    elif not all(one.scales for one in _computed(graph, node)):
        yield "works on integers without a scale: the network is not quantized"


def _ranks(graph: Graph, node: Node) -> Iterator[str]:
    for tensor in _computed(graph, node):
        if any(size != 1 for size in tensor.shape[:-INNER]):
            yield f"only the {INNER} innermost dimensions may be larger than 1, not {_of(tensor)}"


def _of(tensor: Tensor) -> str:
    return f"{list(tensor.shape)}"


def _constant(*places: int, what: str) -> Rule:
    """Return a rule that inputs are constants, where they are given."""

    def rule(graph: Graph, node: Node, _: int) -> Iterator[str]:
        given = [graph.given(node, place) for place in places]
        if not all(one.constant for one in given if one is not None):
            yield f"{what} must be a constant"

    return rule


def _unfused(_: Graph, node: Node, __: int) -> Iterator[str]:
    if node.options.get("FusedActivationFunction", 0):
        yield "may have no fused activation"


def _dilation(_: Graph, node: Node, __: int) -> Iterator[str]:
    if node.options.get("DilationWFactor", 1) != node.options.get("DilationHFactor", 1):
        yield "must have the same dilation in both directions"


def _undilated(_: Graph, node: Node, runtime: int) -> Iterator[str]:
    if runtime <= _OLD and node.options.get("DilationWFactor", 1) != 1:
        yield "has dilation, which takes runtime 13"


_OLD = 12
_RELUS = frozenset({0, 1, 2, 3})  # none, RELU, RELU_N1_TO_1, RELU6


def _relu(_: Graph, node: Node, __: int) -> Iterator[str]:
    if node.options.get("FusedActivationFunction", 0) not in _RELUS:
        yield "has a fused activation that is no RELU"


def _dense(graph: Graph, node: Node, _: int) -> Iterator[str]:
    weights, output = graph.given(node, 1), graph.writes(node)[0]
    if node.options.get("WeightsFormat", 0):
        yield "its weights have another format than the default"
    if weights is not None and weights.scales > 1:
        # Converters write these since 2024; TensorFlow Lite Micro computed garbage of them.
        yield (
            f"its weights have a scale for each of {weights.scales} outputs, and the compiler is "
            "older than such dense layers: give the recipe `dense_scales: per-tensor`"
        )
    if any(size != 1 for size in output.shape[:-1]):
        yield f"its output must be one vector, not {_of(output)}"
    if node.version > _DENSE_VERSION:
        yield (
            f"version {node.version} is newer than the {_DENSE_VERSION} that is mapped: a dense "
            "layer on sequences, if there is one, raises that of all"
        )


_DENSE_VERSION = 4
"""Of int8 layers. A published log says "Operation version not supported" of all 12 in a network
with some on sequences, whose `keep_num_dims` makes 5 of the version that all of a file share."""


def _concatenation(graph: Graph, node: Node, _: int) -> Iterator[str]:
    constants = [one for one in graph.reads(node) if one.constant]
    if not constants:
        return
    zeros = [
        one for one in constants if one.values is not None and (one.values == one.zero_point).all()
    ]
    if len(node.inputs) != 2 or len(zeros) < len(constants):
        yield "takes a constant only as the second of two inputs, and all zeros"


def axes_of(graph: Graph, node: Node, place: int) -> set[int] | None:
    """Return the dimensions that an input names, from 0; None where that is not known."""
    values, data = graph.given(node, place), graph.given(node, 0)
    if values is None or values.values is None or data is None:
        return None
    rank = len(data.shape)
    return {int(axis) % rank for axis in values.values.ravel()} if rank else set()


def _reduction(graph: Graph, node: Node, runtime: int) -> Iterator[str]:
    axes, data = axes_of(graph, node, 1), graph.given(node, 0)
    if axes is None or data is None:
        return
    rank = len(data.shape)
    if 0 in axes and rank > 1:
        yield "must not reduce the batch"
    if node.name != "MEAN" or rank - 1 not in axes or rank == 1:
        return
    if runtime <= _OLD:
        yield "reduces channels, which takes runtime 13"
    elif data.shape[-1] % 4:
        yield f"reduces {data.shape[-1]} channels, and their number must be a multiple of 4"


def _padding(graph: Graph, node: Node, runtime: int) -> Iterator[str]:
    paddings = graph.given(node, 1)
    if paddings is None or paddings.values is None or paddings.values.ndim != 2:
        return
    padded = [bool(one.any()) for one in paddings.values]
    if len(padded) > 1 and padded[0]:
        yield "must not pad the batch"
    if runtime <= _OLD and padded[-1]:
        yield "pads channels, which takes runtime 13"


def _slice(graph: Graph, node: Node, _: int) -> Iterator[str]:
    strides = graph.given(node, 3)
    if strides is not None and strides.values is not None and (strides.values != 1).any():
        yield "takes strides of 1 alone"
    if node.options.get("EllipsisMask", 0) or node.options.get("NewAxisMask", 0):
        yield "must not add dimensions or leave them open by an ellipsis"


def _not_batch(place: int, doing: str) -> Rule:
    """Return a rule that the axis, which is an input, is not that of the batch."""

    def rule(graph: Graph, node: Node, _: int) -> Iterator[str]:
        axis, data = graph.given(node, place), graph.given(node, 1 - place)
        if axis is None or axis.values is None or data is None or len(data.shape) < 2:
            return
        if int(axis.values.ravel()[0]) % len(data.shape) == 0:
            yield f"must not {doing} the batch"

    return rule


def _pack(graph: Graph, node: Node, _: int) -> Iterator[str]:
    rank = len(graph.writes(node)[0].shape)
    if rank and node.options.get("Axis", 0) % rank == 0:
        yield "must not pack along the batch"


def _alpha(graph: Graph, node: Node, _: int) -> Iterator[str]:
    alpha = graph.given(node, 1)
    if alpha is not None and any(size != 1 for size in alpha.shape[:-1]):
        yield (
            "takes one slope for each channel: in Keras give PReLU `shared_axes` of all other "
            f"dimensions, not slopes of {_of(alpha)}"
        )


def _squeeze(graph: Graph, node: Node, runtime: int) -> Iterator[str]:
    before, after = graph.reads(node)[0].shape, graph.writes(node)[0].shape
    leading = [size for size in before if size != 1]
    if runtime <= _OLD and leading != list(before[len(before) - len(leading) :]):
        yield f"drops a dimension between others, {list(before)} to {list(after)}: runtime 13"


def _softmax(graph: Graph, node: Node, _: int) -> Iterator[str]:
    data = graph.reads(node)[0]
    classes = data.shape[-1] if data.shape else 1
    if classes > SOFTMAX_VALUES:
        yield f"takes up to {SOFTMAX_VALUES:,} values, not {classes:,}"
    elif data.size > classes and (classes > SOFTMAX_ROW or data.size > SOFTMAX_BYTES):
        yield (
            f"takes one vector, or rows of up to {SOFTMAX_ROW} values that have about "
            f"{SOFTMAX_BYTES // 1024} KiB together, not {_of(data)}: leave it to the program that "
            "reads the outputs"
        )


def _transpose(graph: Graph, node: Node, _: int) -> Iterator[str]:
    if graph.reads(node)[0].shape[:1] != graph.writes(node)[0].shape[:1]:
        yield "must not move the batch"


def _resize(graph: Graph, node: Node, _: int) -> Iterator[str]:
    data, output = graph.reads(node)[0], graph.writes(node)[0]
    if len(data.shape) != 4 or len(output.shape) != 4:
        yield "takes images alone"
        return
    pairs = list(zip(data.shape[1:3], output.shape[1:3], strict=True))
    if node.name == "RESIZE_BILINEAR" and any(before == 1 < after for before, after in pairs):
        # DeepLab's image pooling: "not mapped to avoid loss in precision".
        yield "spreads a single value over an image, which the compiler leaves for its precision"


_WEIGHTS = _constant(1, 2, what="its weights")
RULES: dict[str, tuple[Rule, ...]] = {
    "AVERAGE_POOL_2D": (_unfused,),
    "CONCATENATION": (_unfused, _concatenation),
    "CONV_2D": (_WEIGHTS, _dilation, _relu),
    "DEPTHWISE_CONV_2D": (_WEIGHTS, _undilated, _dilation, _relu),
    "EXPAND_DIMS": (_constant(1, what="the axis"),),
    "FULLY_CONNECTED": (_WEIGHTS, _dense, _relu),
    "MAX_POOL_2D": (_unfused,),
    "MEAN": (_constant(1, what="what it reduces"), _reduction),
    "PACK": (_pack,),
    "PAD": (_constant(1, what="its padding"), _padding),
    "PRELU": (_constant(1, what="its slopes"), _alpha),
    "REDUCE_MAX": (_constant(1, what="what it reduces"), _reduction),
    "REDUCE_MIN": (_constant(1, what="what it reduces"), _reduction),
    "RESHAPE": (_constant(1, what="the shape"),),
    "RESIZE_BILINEAR": (_constant(1, what="the size"), _resize),
    "RESIZE_NEAREST_NEIGHBOR": (_constant(1, what="the size"), _resize),
    "SLICE": (_constant(1, 2, what="what it takes"),),
    "SOFTMAX": (_softmax,),
    "SPLIT": (_constant(0, what="the axis"), _not_batch(0, "split")),
    "SQUEEZE": (_squeeze,),
    "STRIDED_SLICE": (_constant(1, 2, 3, what="what it takes"), _slice),
    "SUM": (_constant(1, what="what it reduces"), _reduction),
    "TRANSPOSE": (_constant(1, what="the order"), _transpose),
    "TRANSPOSE_CONV": (_constant(0, 1, 3, what="its weights and the shape"), _relu),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (_constant(*range(1, 18), what="its weights"),),
}
