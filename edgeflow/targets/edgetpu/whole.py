"""What makes the compiler refuse a file as a whole."""

from edgeflow.targets.edgetpu.rules import EIGHT_BITS
from edgeflow.targets.edgetpu.versions import LARGEST
from edgeflow.targets.graph import Graph, Node

_SIZES_OF = {
    "ARG_MAX ARG_MIN BROADCAST_TO EXPAND_DIMS MEAN MIRROR_PAD ONE_HOT PAD PADV2 REDUCE_MAX": (1,),
    "REDUCE_MIN REDUCE_PROD RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR": (1,),
    "SPARSE_TO_DENSE SUM TILE TOPK_V2 TRANSPOSE": (1,),
    "BATCH_TO_SPACE_ND SLICE SPACE_TO_BATCH_ND SPLIT_V": (1, 2),
    "FILL SPLIT TRANSPOSE_CONV": (0,),
    "RANGE": (0, 1, 2),
    "STRIDED_SLICE": (1, 2, 3),
}
_SIZES = {name: places for names, places in _SIZES_OF.items() for name in names.split()}
"""Inputs that say how large an operator's output is: where they are no constants, an interpreter
does not know it before it computes."""
_OPEN = frozenset({"UNIQUE", "WHERE"})
"""Operators whose outputs' sizes are always computed."""


def whole_refusal(graph: Graph) -> tuple[str, int | None]:
    """Return why the compiler refuses a file, and the first operator at fault, if it is one.

    Such a file is mapped in no part. The reason is empty for others.

    It opens the file with an interpreter of TensorFlow 2.6, and gives up where that does not know a
    version, or where the size of a tensor is open or depends on what is computed.
    """
    newer = next((node for node in graph.nodes if _is_newer(node)), None)
    if newer is not None:
        known = LARGEST.get(newer.name)
        most = "not the operator" if known is None else f"versions up to {known}"
        return (
            f"the compiler opens no file with {newer.name} of version {newer.version}, and knows "
            f"{most}: use other layers, or an older TensorFlow to convert"
        ), newer.index
    if any(set(graph.tensors[index].free) - {0} for index in graph.inputs):
        reason = (
            "the file leaves sizes of its input open beyond the batch, and the compiler takes "
            "tensors of fixed sizes alone: export with fixed sizes"
        )
        return reason, None
    open_ended = next((node for node in graph.nodes if _is_open(graph, node)), None)
    if open_ended is not None:
        return (
            f"the compiler takes tensors of fixed sizes alone, and that of operator "
            f"{open_ended.index}, {open_ended.name}, is computed: export with a fixed batch of 1"
        ), open_ended.index
    types = {graph.tensors[index].dtype for node in graph.nodes for index in node.outputs}
    if not types & EIGHT_BITS:
        return (
            "the model is not quantized: the compiler takes int8, as by `quantize: ptq-int8`",
            None,
        )
    return "", None


def _is_newer(node: Node) -> bool:
    return not node.custom and node.version > LARGEST.get(node.name, 0)


def _is_open(graph: Graph, node: Node) -> bool:
    given = [graph.given(node, place) for place in _SIZES.get(node.name, ())]
    fixed = all(one.constant for one in given if one is not None)
    unknown = any(size < 0 for one in graph.writes(node) for size in one.shape)
    return node.name in _OPEN or not fixed or unknown
