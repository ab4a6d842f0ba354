"""Pooling layers: as HGQ2's, or as weights where no shift divides by the number of values."""

from typing import Any

import numpy as np

from edgeflow.compress.hgq.graph import Builder, UnknownError
from edgeflow.compress.hgq.weighted import grouped
from edgeflow.compress.hgq.windows import integers, require_last


def max_pool(builder: Builder, layer: Any, given: list[str]) -> str:
    """Add a maximum over windows."""
    require_last(layer)
    _require_unpadded(builder, layer)
    return builder.add(layer.name, "QMaxPooling2D", given, **_pooled(layer))


def average_pool(builder: Builder, layer: Any, given: list[str]) -> str:
    """Add an average over windows: as weights where their size is no power of two."""
    require_last(layer)
    _require_unpadded(builder, layer)
    if _is_power_of_two(int(np.prod(layer.pool_size))):
        return builder.add(layer.name, "QAveragePooling2D", given, **_pooled(layer))
    channels = builder.shape(layer)[-1]
    return _averaged(builder, layer.name, given, layer.pool_size, layer.strides, channels)


def _averaged(
    builder: Builder, name: str, given: list[str], size: Any, strides: Any, channels: int
) -> str:
    """Write an average over other than 2, 4, 8, … values as weights, as no shift divides so."""
    kernel = np.full((*size, channels, 1), 1 / np.prod(size))
    options = {"kernel_size": integers(size), "strides": integers(strides), "padding": "valid"}
    return grouped(builder, name, given, kernel, np.zeros(channels), options)


def global_max(builder: Builder, layer: Any, given: list[str]) -> str:
    """Add the maximum of each channel."""
    require_last(layer)
    return _pooled_over_all(builder, layer, given, "QMaxPooling2D")


def global_average(builder: Builder, layer: Any, given: list[str]) -> str:
    """Add the average of each channel."""
    require_last(layer)
    height, width, channels = builder.shape(layer)
    if _is_power_of_two(height * width):
        return _pooled_over_all(builder, layer, given, "QAveragePooling2D")
    name, size = f"{layer.name}_all", (height, width)
    return _without_places(builder, layer, _averaged(builder, name, given, size, (1, 1), channels))


def _pooled_over_all(builder: Builder, layer: Any, given: list[str], kind: str) -> str:
    """Add a pooling with one window: hls4ml 1.3 fails at types of HGQ2's global ones."""
    size = list(builder.shape(layer)[:2])
    name = builder.add(f"{layer.name}_all", kind, given, pool_size=size, strides=size)
    return _without_places(builder, layer, name)


def _without_places(builder: Builder, layer: Any, pooled: str) -> str:
    """Add what leaves out height and width, which are 1, where the layer does so."""
    if layer.keepdims:
        return pooled
    return builder.add(layer.name, "Reshape", [pooled], target_shape=[builder.shape(layer)[-1]])


def _pooled(layer: Any) -> dict[str, Any]:
    return {"pool_size": integers(layer.pool_size), "strides": integers(layer.strides)}


def _require_unpadded(builder: Builder, layer: Any) -> None:
    """Refuse windows that reach over the edge, where an average is one over fewer values."""
    sizes = zip(builder.shape(layer)[:2], layer.pool_size, layer.strides, strict=True)
    padded = [-(-size // step) > (size - pool) // step + 1 for size, pool, step in sizes]
    if layer.padding != "valid" and any(padded):
        raise UnknownError(", padding same")


def _is_power_of_two(number: int) -> bool:
    return number & (number - 1) == 0
