"""Layers by kernels that take two products at once, for cores with Arm's DSP extension."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgeflow.targets.mcu.graph import Graph, Node
from edgeflow.targets.mcu.layers import windows
from edgeflow.targets.mcu.layers.base import Layer
from edgeflow.targets.mcu.layers.products import Products, products
from edgeflow.targets.mcu.layers.windows import Side
from edgeflow.targets.mcu.settings import Settings

_PIXELS = 4
_PLANE_COLUMNS = 64  # NN_PLANE of the kernel
_PLANE_ROWS = 16
_HALF_BYTES = 2  # of an int16


def lower(graph: Graph, node: Node, settings: Settings) -> Layer | None:
    """Return the layer of an operator, or None where another kernel must take it.

    Raises:
        Unsupported: no kernel takes it.
    """
    known = node.operator in _LOWER and settings.simd
    # LiteRT's reference kernel of dense layers rounds once, as the scaling here does not.
    if not known or (settings.profile == "litert-ref" and node.operator == "FULLY_CONNECTED"):
        return None
    return _LOWER[node.operator](graph, node)


def _conv_2d(graph: Graph, node: Node) -> Layer | None:
    channels, *taps, depth = graph.tensors[node.inputs[1]].shape
    source = graph.tensors[node.inputs[0]]
    if source.shape[-1] != depth or not _scales(found := products(graph, node, axis=0)):
        return None
    rows, columns = windows.sides(graph, node, (taps[0], taps[1]))
    weights = _padded(found.weights, 2, 8)
    width = weights.shape[1]
    return Layer(
        node=node,
        kernel="nn_conv_simd",
        values={
            **windows.values(rows, columns),
            **_scaling(found),
            "in_depth": depth,
            "channels": channels,
            "taps": width,
            "run": columns.taps * depth,
            "in_zero_point": source.zero_point,
        },
        arrays={"weights": _by_pairs(weights), **_per_channel(found, 2)},
        reads=(node.inputs[0],),
        writes=(node.outputs[0],),
        # All four pixels are read before the first is written: this is more than is needed.
        slack=(windows.slack(rows, columns, (depth, channels)),),
        scratch_bytes=_PIXELS * _HALF_BYTES * width + width,
        macs=rows.outputs * columns.outputs * found.weights.size,
        notes=(*found.notes, f"two products at once, columns of {width} for {_PIXELS} pixels"),
    )


def _by_pairs(weights: NDArray[np.int8]) -> NDArray[np.int8]:
    """Return weights [channels, taps], of two channels in turns, taps in the order of a column."""
    order = np.arange(weights.shape[1]).reshape(-1, 4)[:, [0, 2, 1, 3]].ravel()
    pairs = weights[:, order].reshape(len(weights) // 2, 2, -1, 2)
    # Of each two taps: first channel, second channel, first channel, second channel.
    return pairs.transpose(0, 2, 3, 1).ravel()


def _depthwise(graph: Graph, node: Node) -> Layer | None:
    _, *taps, channels = graph.tensors[node.inputs[1]].shape
    rows, columns = windows.sides(graph, node, (taps[0], taps[1]))
    fits = (rows.taps, columns.taps, rows.dilation, columns.dilation) == (3, 3, 1, 1)
    if not fits or columns.stride > 2 or not _scales(found := products(graph, node, axis=3)):
        return None
    source = graph.tensors[node.inputs[0]]
    in_place = _is_in_place(rows, columns, source.shape[-1], channels)
    part = rows.outputs if in_place else _part_rows(rows)
    return Layer(
        node=node,
        kernel="nn_depthwise_simd",
        values={
            **{
                name: value
                for name, value in windows.values(rows, columns).items()
                if not name.startswith(("kernel", "dilation"))
            },
            **_scaling(found),
            "in_depth": source.shape[-1],
            "channels": channels,
            "multiplier": channels // source.shape[-1],
            "part_rows": part,
            "part_columns": _part_columns(columns),
            "in_zero_point": source.zero_point,
        },
        arrays={
            "weights": found.weights.reshape(-1, 3)[:, [0, 1, 1, 2]].ravel(),
            **_per_channel(found, 1),
        },
        reads=(node.inputs[0],),
        writes=(node.outputs[0],),
        in_place=in_place,
        slack=(_depthwise_slack(rows, columns, part, source.shape[-1], channels),),
        scratch_bytes=((part - 1) * rows.stride + rows.taps) * _PLANE_COLUMNS * _HALF_BYTES,
        macs=rows.outputs * columns.outputs * found.weights.size,
        notes=(*found.notes, f"two products at once, {part} rows of a channel after the other"),
    )


def _is_in_place(rows: Side, columns: Side, depth: int, channels: int) -> bool:
    """Return whether a channel's outputs may replace its inputs, all of which the plane holds.

    It does where that takes less memory than a second tensor, or the plane is large enough anyway.
    """
    same = (rows.outputs, columns.outputs, channels) == (rows.size, columns.size, depth)
    if not same or columns.outputs > _part_columns(columns):
        return False
    more_bytes = (rows.outputs - _part_rows(rows)) * _PLANE_COLUMNS * _HALF_BYTES
    return more_bytes <= rows.size * columns.size * depth // 2


def _depthwise_slack(rows: Side, columns: Side, part: int, depth: int, channels: int) -> int:
    """Return by how many bytes the output must start before the input to be written over it.

    All channels of a part are read, one after the other, while its rows are written.
    """
    return max(
        min(first + part, rows.outputs) * columns.outputs * channels
        - max(0, first * rows.stride - rows.pad) * columns.size * depth
        for first in range(0, rows.outputs, part)
    )


def _part_rows(rows: Side) -> int:
    """Return how many rows of the output fit into the plane at once."""
    return max(1, min(rows.outputs, (_PLANE_ROWS - rows.taps) // rows.stride + 1))


def _part_columns(columns: Side) -> int:
    # Outputs come in pairs where they are neighbours, and a load takes a value too many.
    return min(columns.outputs, (_PLANE_COLUMNS - columns.taps - 1) // columns.stride // 2 * 2)


def _fully_connected(graph: Graph, node: Node) -> Layer | None:
    found = products(graph, node, axis=0)
    if not _scales(found):
        return None
    units, inputs = found.weights.shape
    rows = graph.tensors[node.inputs[0]].size // inputs
    weights = _padded(found.weights, 4, 4)
    return Layer(
        node=node,
        kernel="nn_dense_simd",
        values={
            **{"rows": rows, "inputs": inputs, "units": units},
            **_scaling(found),
            "scales_step": found.values["scales_step"],
        },
        arrays={
            # Of each four inputs, the weights of four units.
            "weights": weights.reshape(len(weights) // 4, 4, -1, 4).transpose(0, 2, 1, 3).ravel(),
            **_per_unit(found, 4),
        },
        reads=(node.inputs[0],),
        writes=(node.outputs[0],),
        slack=(max(units, rows * units - (rows - 1) * inputs),),
        macs=rows * units * inputs,
        notes=(*found.notes, "two products at once"),
    )


def _scales(found: Products) -> bool:
    """Return whether `nn_rescale` is exact for all sums that there may be."""
    right = -found.arrays["shifts"].astype(np.int64)
    sums = np.abs(found.folded) + 128 * np.abs(found.weights.astype(np.int64)).sum(axis=1)
    if (right < 1).any() or (right > 22).any():
        return False
    rest = abs(2 * found.values["zero_point"] + 1) << (right - 1)
    return bool(sums.max(initial=0) < 2**30 and (sums + rest).max(initial=0) < 2**31 - 1)


def _padded(weights: NDArray[np.int8], units: int, products_each: int) -> NDArray[np.int8]:
    """Return weights [units, products] with both numbers rounded up to multiples, by zeros."""
    missing = [
        (0, -size % to) for size, to in zip(weights.shape, (units, products_each), strict=True)
    ]
    return np.pad(weights, missing)


def _scaling(found: Products) -> dict[str, int]:
    low, high = found.values["low"], found.values["high"]
    clamped = int((low, high) != (-128, 127))
    centre = 2 * found.values["zero_point"] + 1
    return {"centre": centre, "clamped": clamped, "low": low, "high": high}


def _per_channel(found: Products, together: int) -> dict[str, NDArray[np.int32 | np.int8]]:
    """Return bias and scale of each channel, and of those that were added."""
    channels = np.zeros(len(found.folded), np.int8)
    scales = {name: array + channels.astype(array.dtype) for name, array in found.arrays.items()}
    return _per_unit(replace(found, arrays=scales), together)


def _per_unit(found: Products, together: int) -> dict[str, NDArray[np.int32 | np.int8]]:
    """Return bias and scales; the one scale of all units where they have one."""
    missing = -len(found.folded) % together
    scales = {
        name: np.pad(array, (0, missing if len(array) > 1 else 0))
        for name, array in found.arrays.items()
    }
    return {"bias": np.pad(found.folded, (0, missing)).astype(np.int32), **scales}


_LOWER: dict[str, Callable[[Graph, Node], Layer | None]] = {
    "CONV_2D": _conv_2d,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _fully_connected,
}
