"""Makes int8 weights small enough that no CPU overflows.

Without VNNI, x86-64 CPUs multiply bytes in pairs (vpmaddubsw) and saturate each pair's sum at 16
bits: 255 * w0 + 255 * w1 must stay within -32768..32767. NNCF's `overflow_fix` halves all weights
of a layer for that; here only channels that need it are scaled, and no further than they must be.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PAIR_MAX = 128
"""Largest sum of two weights of one sign that any input, up to 255, leaves within 16 bits."""

_MULTIPLIES = frozenset(
    {"Convolution", "ConvolutionBackpropData", "GroupConvolution", "MatMul"}
    | {"GroupConvolutionBackpropData"}
)
_MOVES = frozenset({"Reshape", "Squeeze", "Transpose", "Unsqueeze"})


def fix_overflow(model: Any) -> int:
    """Rescale a model's int8 weights where two of a channel could overflow; return how many.

    Args:
        model: openvino.Model; its weights are ``Constant(i8) -> Convert -> Multiply(scale)``, as
            OpenVINO reads them from a .tflite. It is changed in place.

    Returns:
        The number of channels that were rescaled.
    """
    from openvino import opset13

    changed = 0
    for node in model.get_ordered_ops():
        found = _weights(node)
        if found is None or not _paired(node):
            continue
        weights, scale = found
        factor = overflow_factor(weights, scale.shape)
        changed += int((factor > 1).sum())
        small = opset13.constant(_rescaled(weights, factor))
        floats = opset13.convert(small, "f32")
        widened = opset13.constant((scale * factor).astype(scale.dtype))
        scaled = opset13.multiply(floats, widened).output(0)
        for reader in node.output(0).get_target_inputs():
            reader.replace_source_output(scaled)
    return changed


def overflow_factor(
    weights: "NDArray[np.int8]", scale_shape: tuple[int, ...]
) -> "NDArray[np.float64]":
    """Return by what each channel's weights must be divided, 1 where they are safe already.

    Any two weights may meet in a pair: which ones do is the kernel's choice.

    Args:
        weights: int8, of any shape.
        scale_shape: shape of their scale, right-aligned; its axes longer than 1 are the channels'.

    Returns:
        float64 of `scale_shape`, with ones in front up to the number of axes of `weights`.
    """
    import numpy as np

    shape = (1,) * (weights.ndim - len(scale_shape)) + tuple(scale_shape)
    shared = tuple(axis for axis in range(weights.ndim) if shape[axis] == 1)
    kept = tuple(axis for axis in range(weights.ndim) if axis not in shared)
    rows = np.transpose(weights, kept + shared).astype(np.int64)
    rows = np.sort(rows.reshape(*(shape[axis] for axis in kept), -1), axis=-1)
    highest = np.maximum(rows[..., -2:], 0).sum(axis=-1)
    lowest = np.minimum(rows[..., :2], 0).sum(axis=-1)
    pair = np.maximum(highest, -lowest)
    # One less than the limit, for rounding may add a half to both.
    return np.where(pair > PAIR_MAX, pair / (PAIR_MAX - 1), 1.0).reshape(shape)


def _rescaled(weights: "NDArray[np.int8]", factor: "NDArray[np.float64]") -> "NDArray[np.int8]":
    import numpy as np

    rounded: NDArray[np.int8] = np.rint(weights / factor).astype(np.int8)
    return rounded


def _weights(node: Any) -> "tuple[NDArray[np.int8], NDArray[np.float32]] | None":
    """Return int8 weights and their scale where a node multiplies the one with the other."""
    if node.get_type_name() != "Multiply":
        return None
    convert, scale = (node.input_value(index).get_node() for index in range(2))
    if convert.get_type_name() != "Convert" or scale.get_type_name() != "Constant":
        return None
    source = convert.input_value(0).get_node()
    if source.get_type_name() != "Constant" or source.get_element_type().get_type_name() != "i8":
        return None
    return source.get_data(), scale.get_data()


def _paired(node: Any) -> bool:
    """Return whether a layer that adds products in pairs reads the node: no depthwise one does."""
    readers = [port.get_node() for port in node.output(0).get_target_inputs()]
    return any(
        (reader.get_type_name() in _MULTIPLIES and not _is_depthwise(reader))
        or (reader.get_type_name() in _MOVES and _paired(reader))
        for reader in readers
    )


def _is_depthwise(layer: Any) -> bool:
    if layer.get_type_name() != "GroupConvolution":
        return False
    groups, *shape = layer.input_value(1).get_shape()
    return list(shape[:2]) == [1, 1] and groups > 1
