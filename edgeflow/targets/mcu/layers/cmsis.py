"""Layers by Arm's CMSIS-NN, as far as it takes them."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeflow.targets.mcu.graph import Graph, Node
from edgeflow.targets.mcu.layers import windows
from edgeflow.targets.mcu.layers.base import Layer, fused_range
from edgeflow.targets.mcu.layers.products import Products, products
from edgeflow.targets.mcu.layers.windows import Side
from edgeflow.targets.mcu.settings import Settings

_HALF_BYTES, _WORD_BYTES = 2, 4
_LARGEST_SIDE = 2**15 - 1  # of tensors, in CMSIS-NN


def lower(graph: Graph, node: Node, settings: Settings) -> Layer | None:
    """Return the layer of an operator, or None where another kernel must take it."""
    if settings.kernels != "cmsis-nn" or node.operator not in _LOWER:
        return None
    # Its dense layers have one scale, and round twice.
    once = settings.profile == "litert-ref"
    scales = graph.tensors[node.inputs[1]].scales if len(node.inputs) > 1 else ()
    if node.operator == "FULLY_CONNECTED" and (once or len(scales) > 1):
        return None
    sides = [
        side for place in (node.inputs[0], node.outputs[0]) for side in graph.tensors[place].shape
    ]
    return _LOWER[node.operator](graph, node) if max(sides) <= _LARGEST_SIDE else None


def _conv_2d(graph: Graph, node: Node) -> Layer | None:
    channels, *taps, depth = graph.tensors[node.inputs[1]].shape
    rows, columns = windows.sides(graph, node, (taps[0], taps[1]))
    if graph.tensors[node.inputs[0]].shape[-1] != depth:
        return None
    found = products(graph, node, axis=0)
    if taps == [1, 1]:
        strided = rows.stride > 1 or columns.stride > 1
        kernel, scratch = f"nn_cmsis_pointwise{'_strided' if strided else ''}", 0
    else:
        kernel, scratch = "nn_cmsis_conv", 2 * _HALF_BYTES * found.weights.shape[1]
    filter_ = {"n": channels, "h": taps[0], "w": taps[1], "c": depth}
    return _windowed(graph, node, found, (rows, columns), kernel, scratch, filter_, {})


def _depthwise(graph: Graph, node: Node) -> Layer | None:
    _, *taps, channels = graph.tensors[node.inputs[1]].shape
    depth = graph.tensors[node.inputs[0]].shape[-1]
    rows, columns = windows.sides(graph, node, (taps[0], taps[1]))
    simple = depth == channels and rows.dilation == columns.dilation == 1
    kernel, scratch = "nn_cmsis_depthwise", 0
    if simple and taps == [3, 3] and max(rows.pad, columns.pad) <= 1:
        kernel = "nn_cmsis_depthwise_3x3"
    elif simple:
        kernel = "nn_cmsis_depthwise_columns"
        scratch = channels * taps[0] * taps[1] * _HALF_BYTES
    found = products(graph, node, axis=3)
    return _windowed(
        graph,
        node,
        found,
        (rows, columns),
        kernel,
        scratch,
        {"n": 1, "h": taps[0], "w": taps[1], "c": channels},
        {"params.ch_mult": channels // depth},
    )


def _windowed(
    graph: Graph,
    node: Node,
    found: Products,
    sides: tuple[Side, Side],
    kernel: str,
    scratch_bytes: int,
    filter_: Mapping[str, int],
    more: Mapping[str, int],
) -> Layer:
    rows, columns = sides
    across = node.operator == "DEPTHWISE_CONV_2D"  # channels last there, else first
    return Layer(
        node=node,
        kernel=kernel,
        values={
            **_offsets(graph, node, found),
            **_steps(rows, columns),
            **_members("params.dilation", {"h": rows.dilation, "w": columns.dilation}),
            **more,
            **_ends(graph, node),
            **_members("filter", filter_),
            "units.c": len(found.bias),
            "scratch_bytes": scratch_bytes,
        },
        arrays={
            "weights": (found.weights.T if across else found.weights).ravel(),
            "bias": found.bias.astype(np.int32),
            "multipliers": _of_channels(found, "multipliers"),
            "shifts": _of_channels(found, "shifts"),
        },
        reads=(node.inputs[0],),
        writes=(node.outputs[0],),
        slack=(None,),
        scratch_bytes=scratch_bytes,
        macs=rows.outputs * columns.outputs * found.weights.size,
        notes=(*found.notes, "by CMSIS-NN"),
    )


def _fully_connected(graph: Graph, node: Node) -> Layer:
    found = products(graph, node, axis=0)
    units, inputs = found.weights.shape
    rows = graph.tensors[node.inputs[0]].size // inputs
    return Layer(
        node=node,
        kernel="nn_cmsis_dense",
        values={
            **_offsets(graph, node, found),
            "scale.multiplier": int(found.arrays["multipliers"][0]),
            "scale.shift": int(found.arrays["shifts"][0]),
            **_members("in", {"n": rows, "h": 1, "w": 1, "c": inputs}),
            **_members("filter", {"n": inputs, "h": 1, "w": 1, "c": units}),
            "units.c": units,
            **_members("out", {"n": rows, "h": 1, "w": 1, "c": units}),
        },
        arrays={"weights": found.weights.ravel(), "bias": found.bias.astype(np.int32)},
        reads=(node.inputs[0],),
        writes=(node.outputs[0],),
        slack=(None,),
        macs=rows * units * inputs,
        notes=(*found.notes, "by CMSIS-NN"),
    )


def _pool_2d(graph: Graph, node: Node) -> Layer:
    taps = int(node.options["filterHeight"]), int(node.options["filterWidth"])
    rows, columns = windows.sides(graph, node, taps)
    low, high = fused_range(graph, node, node.outputs[0])
    average = node.operator == "AVERAGE_POOL_2D"
    depth = graph.tensors[node.inputs[0]].shape[-1]
    return Layer(
        node=node,
        kernel="nn_cmsis_average_pool" if average else "nn_cmsis_max_pool",
        values={
            **_steps(rows, columns),
            **_members("params.activation", {"min": low, "max": high}),
            **_ends(graph, node),
            **_members("filter", {"n": 1, "h": taps[0], "w": taps[1], "c": 1}),
            **({"scratch_bytes": _WORD_BYTES * depth} if average else {}),
        },
        arrays={},
        reads=(node.inputs[0],),
        writes=(node.outputs[0],),
        slack=(None,),
        scratch_bytes=_WORD_BYTES * depth if average else 0,
        notes=(f"windows of {taps[0]}x{taps[1]}", "by CMSIS-NN"),
    )


def _members(name: str, values: Mapping[str, int]) -> dict[str, int]:
    return {f"{name}.{member}": value for member, value in values.items()}


def _offsets(graph: Graph, node: Node, found: Products) -> dict[str, int]:
    return {
        "params.input_offset": -graph.tensors[node.inputs[0]].zero_point,
        "params.output_offset": found.values["zero_point"],
        "params.activation.min": found.values["low"],
        "params.activation.max": found.values["high"],
    }


def _steps(rows: Side, columns: Side) -> dict[str, int]:
    return {
        **_members("params.stride", {"h": rows.stride, "w": columns.stride}),
        **_members("params.padding", {"h": rows.pad, "w": columns.pad}),
    }


def _ends(graph: Graph, node: Node) -> dict[str, int]:
    return {
        f"{end}.{member}": size
        for end, place in (("in", node.inputs[0]), ("out", node.outputs[0]))
        for member, size in zip("nhwc", graph.tensors[place].shape, strict=True)
    }


def _of_channels(found: Products, name: str) -> NDArray[np.int32]:
    return np.broadcast_to(found.arrays[name], len(found.bias)).astype(np.int32)


_LOWER: dict[str, Callable[[Graph, Node], Any]] = {
    "AVERAGE_POOL_2D": _pool_2d,
    "CONV_2D": _conv_2d,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _fully_connected,
    "MAX_POOL_2D": _pool_2d,
}
