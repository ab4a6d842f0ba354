"""Weights in float16, half the size; interpreters compute in float32 unless they can do less."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgeflow.compress.source import Source
    from edgeflow.config.recipe import Recipe


def convert(model: "Source", recipe: "Recipe", calibration: Any) -> bytes:  # noqa: ARG001
    """Return the .tflite with float16 weights."""
    import tensorflow as tf

    converter = model.converter()
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    flatbuffer: bytes = converter.convert()
    return flatbuffer
