"""Constraints of shapes in Vela's report of supported operators, as Vela 5.2 applies them."""

import math
from collections.abc import Callable, Collection, Mapping

from edgeflow.targets.ethos_u.configuration import Family
from edgeflow.targets.graph import Graph, Node, Tensor

_AXIS_MAX = 4096
"""Largest reduced axis of MEAN. The report says less than that; Vela takes it."""
_REDUCED_MAX: Mapping[str, int] = {"int8": 2**24, "uint8": 2**23, "int16": 2**16}
_VARIABLES = frozenset({"ASSIGN_VARIABLE", "READ_VARIABLE"})


def shape_refusal(graph: Graph, node: Node, family: Family) -> str | None:
    """Return what of an operator's shapes keeps it off the NPU; None where nothing does."""
    features = [one for one in [*graph.reads(node), *graph.writes(node)] if not one.constant]
    if any(axis > 0 for one in features for axis in one.free):
        return "has a tensor with an open size beyond the batch"
    if node.name not in _VARIABLES and any(not one.shape for one in features):
        return "has a tensor without dimensions"
    rule = _RULES.get(node.name)
    return rule(graph, node, family) if rule else None


def unused(graph: Graph, on_cpu: Collection[int]) -> frozenset[int]:
    """Return the operators of which nothing is left in what Vela writes.

    Vela drops operators whose results nothing reads. It knows the shape that a RESHAPE on the NPU
    makes, so it drops what computes that too, as Keras does for an open batch.

    Args:
        graph: the main graph.
        on_cpu: indices of the operators that stay on the CPU.
    """
    read = set(graph.outputs)
    kept = set()
    for node in reversed(graph.nodes):
        if node.outputs and read.isdisjoint(node.outputs):
            continue
        kept.add(node.index)
        known = node.name == "RESHAPE" and node.index not in on_cpu
        read.update(node.inputs[:1] if known else node.inputs)
    return frozenset(node.index for node in graph.nodes) - kept


def _mean(graph: Graph, node: Node, _: Family) -> str | None:
    source, axes = graph.given(node, 0), graph.given(node, 1)
    if source is None or axes is None or not source.shape:
        return None
    if axes.values is None:
        return None if axes.constant else "has axes that are computed"
    rank = len(source.shape)
    reduced = {int(axis) % rank for axis in axes.values.flat}
    sizes = [source.shape[axis] for axis in reduced]
    if math.prod(source.shape[:-3]) > 1:
        return "has a batch above 1"
    if max(sizes, default=1) > _AXIS_MAX:
        return f"reduces an axis of more than {_AXIS_MAX}"
    if math.prod(sizes) > _REDUCED_MAX.get(source.dtype, 2**24):
        return "reduces too many values"
    if rank - 1 in reduced and rank >= 3 and min(source.shape[-3:]) > 1:
        return "reduces the channels of a tensor of more than one row and column"
    return None


def _resize(graph: Graph, node: Node, family: Family) -> str | None:
    source, made = graph.given(node, 0), next(iter(graph.writes(node)), None)
    if source is None or made is None or not len(source.shape) == len(made.shape) == 4:
        return None
    align, half = (bool(node.options.get(name)) for name in ("AlignCorners", "HalfPixelCenters"))
    if family is Family.U85 and align and half:
        return "has both align_corners and half_pixel_centers"
    if source.shape[1:3] == (1, 1) or source.shape == made.shape:
        return None
    scales = [_scale(source, made, axis, align) for axis in (1, 2)]
    bilinear = node.name == "RESIZE_BILINEAR"
    if family is Family.U85:
        known = [scale for scale, size in zip(scales, source.shape[1:3], strict=True) if size > 1]
        wrong = bilinear and not all(_is_power_of_two(scale) for scale in known)
        return "has a scale that is no power of two" if wrong else None
    half = half and bilinear
    if scales[0] != scales[1]:
        # A line is scaled along itself.
        along = [scales[one] for one in (0, 1) if made.shape[2 - one] == scales[1 - one] == 1]
        if half or not along:
            return "has different scales of height and width"
        scales = along
    taken = (2,) if half else (2, 4, 8)
    return None if scales[0] in taken else f"has a scale other than {_either(taken)}"


def _scale(source: Tensor, made: Tensor, axis: int, align: bool) -> float:
    old, new = source.shape[axis], made.shape[axis]
    if align:
        old, new = old - 1, new - 1
    if old <= 0:
        return 1 if new == old else math.inf
    return new / old


def _is_power_of_two(scale: float) -> bool:
    return scale >= 1 and math.frexp(scale)[0] == 0.5


def _either(numbers: tuple[int, ...]) -> str:
    return " or ".join(map(str, numbers))


_RULES: Mapping[str, Callable[[Graph, Node, Family], str | None]] = {
    "MEAN": _mean,
    "RESIZE_BILINEAR": _resize,
    "RESIZE_NEAREST_NEIGHBOR": _resize,
}
