"""float32 weights and activations: the network as it was trained."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgeflow.compress.source import Source
    from edgeflow.config.recipe import Recipe


def convert(model: "Source", recipe: "Recipe", calibration: Any) -> bytes:  # noqa: ARG001
    """Return the float32 .tflite."""
    flatbuffer: bytes = model.converter().convert()
    return flatbuffer
