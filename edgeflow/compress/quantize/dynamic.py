"""Dynamic range quantization: int8 weights, float32 activations quantized as they come."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgeflow.compress.source import Source
    from edgeflow.config.recipe import Recipe


def convert(model: "Source", recipe: "Recipe", calibration: Any) -> bytes:  # noqa: ARG001
    """Return the .tflite with int8 weights. Tensors below 1,024 elements stay float32."""
    import tensorflow as tf

    converter = model.converter()
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    flatbuffer: bytes = converter.convert()
    return flatbuffer
