"""What layers of several kinds read of their windows and axes."""

from typing import Any

from edgeflow.compress.hgq.graph import UnknownError


def window(layer: Any) -> dict[str, Any]:
    """Return the options of a layer's window.

    Raises:
        UnknownError: it is padded on one side alone.
    """
    if layer.padding not in ("same", "valid"):
        raise UnknownError(f", padding {layer.padding}")
    sizes = ("kernel_size", "strides", "dilation_rate")
    return {
        **{name: integers(getattr(layer, name)) for name in sizes},
        "padding": layer.padding,
    }


def integers(values: Any) -> list[int]:
    """Return values of numpy's or Keras' as plain integers, for JSON."""
    return [int(value) for value in values]


def require_last(layer: Any) -> None:
    """Refuse a layer whose channels are not the last axis."""
    if layer.data_format != "channels_last":
        raise UnknownError(f", {layer.data_format}")
